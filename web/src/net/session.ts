// Who is logged in. The refresh token is an HttpOnly cookie that no script sees; the access token lives here, in memory.
//
// Tabs share the cookie, so they take turns to refresh (a Web Lock); one that finds somebody else logged in says so.

import { type Signal, signal } from "@preact/signals";
import { systemClock } from "../core/clock";
import { Keeper } from "../core/keeper";
import { Failure, type Me } from "../core/types";
import { call } from "./call";

interface Grant {
	user?: Me;
	access_token: string;
	expires_in: number;
}

/** `logged_out` by this tab; `elsewhere`: another tab says that nobody is logged in. */
export type End = "logged_out" | "elsewhere" | "expired" | "other_person";

const EARLY_MS = 120_000; // a hidden tab's timers are up to a minute late
const MARGIN_MS = 5_000; // a request takes a while to arrive
const LOCK = "stonechat.refresh";
const HINT = "stonechat.session"; // says that there may be a cookie: a first visit need not ask

export class Session {
	private token = "";
	private goodUntil = 0;
	private refreshing: Promise<void> | null = null;
	private readonly keeper = new Keeper(() => this.refresh(), systemClock);
	private readonly me: Signal<Me>;
	private over = false;
	private leaving = false;
	/** The session has ended; told once. */
	onEnd: (why: End) => void = () => {};
	/** A new access token: the open socket wants it too. */
	onToken: (token: string) => void = () => {};

	private constructor(user: Me, grant: Grant) {
		this.me = signal(user);
		this.take(grant);
		hint(true);
	}

	/** Who it is. Whatever draws this is drawn again when it changes. */
	get user(): Me {
		return this.me.value;
	}

	/** One's own profile has changed, here or elsewhere. */
	became(user: Me): void {
		if (user.id === this.user.id) this.me.value = user;
	}

	static async logIn(username: string, password: string): Promise<Session> {
		const grant = await call<Grant>("POST", "/auth/login", { username, password, session: "cookie" });
		return new Session(await whoIs(grant), grant);
	}

	static async signUp(username: string, password: string, displayName: string, inviteCode: string): Promise<Session> {
		const optional = { ...(displayName ? { display_name: displayName } : {}), ...(inviteCode ? { invite_code: inviteCode } : {}) };
		const body = { username, password, session: "cookie", ...optional };
		const grant = await call<Grant>("POST", "/auth/signup", body);
		return new Session(await whoIs(grant), grant);
	}

	/** Goes on with the session of the cookie; null when there is none. */
	static async restore(): Promise<Session | null> {
		if (!hinted()) return null;
		try {
			const grant = await alone(() => call<Grant>("POST", "/auth/refresh", {}));
			return new Session(await whoIs(grant), grant);
		} catch (error) {
			if (!(error instanceof Failure) || !isRefusal(error)) throw error;
			hint(false);
			return null;
		}
	}

	async logOut(): Promise<void> {
		this.leaving = true;
		try {
			await call("POST", "/auth/logout", {}, await this.accessToken());
		} catch (error) {
			if (!(error instanceof Failure) || (!this.over && !isRefusal(error))) {
				this.leaving = false;
				throw error;
			}
		}
		this.end("logged_out");
	}

	/** A token that is good for a while yet. */
	async accessToken(): Promise<string> {
		if (Date.now() > this.goodUntil) await this.refresh();
		return this.token;
	}

	/** Gets a new token, once for all who ask meanwhile. */
	refresh(): Promise<void> {
		this.refreshing ??= alone(() => this.refreshOnce()).finally(() => {
			this.refreshing = null;
		});
		return this.refreshing;
	}

	/** A request as this person; an access token the server no longer takes is renewed once. */
	async call<T>(method: string, path: string, body?: unknown): Promise<T> {
		const token = await this.accessToken();
		try {
			return await call<T>(method, path, body, token);
		} catch (error) {
			if (!(error instanceof Failure) || error.status !== 401) throw error;
			if (this.token === token) await this.refresh();
			return call<T>(method, path, body, this.token);
		}
	}

	end(why: End): void {
		this.keeper.end();
		if (this.over) return;
		this.over = true;
		if (why !== "other_person") hint(false);
		// The socket may tell that the session is revoked before the answer to the log-out is here.
		this.onEnd(this.leaving && why !== "other_person" ? "logged_out" : why);
	}

	private async refreshOnce(): Promise<void> {
		if (this.over) throw new Failure(401, "session_over", "You are logged out.", false);
		try {
			const grant = await call<Grant>("POST", "/auth/refresh", {});
			const user = await whoIs(grant);
			if (user.id !== this.user.id) {
				this.end("other_person");
				throw new Failure(401, "session_over", "Somebody else has logged in.", false);
			}
			this.take(grant);
			this.onToken(this.token);
		} catch (error) {
			if (error instanceof Failure && isRefusal(error)) this.end("expired");
			throw error;
		}
	}

	private take(grant: Grant): void {
		const lifeMs = grant.expires_in * 1000;
		this.token = grant.access_token;
		this.goodUntil = Date.now() + lifeMs - Math.min(MARGIN_MS, lifeMs / 4);
		this.keeper.dueIn(Math.max(lifeMs / 2, lifeMs - EARLY_MS));
	}
}

/** Calls back when another tab has logged in or out. */
export function onOtherTab(changed: (loggedIn: boolean) => void): void {
	addEventListener("storage", (event) => {
		if (event.key === HINT) changed(event.newValue !== null);
	});
}

function hinted(): boolean {
	try {
		return localStorage.getItem(HINT) !== null;
	} catch {
		return true;
	}
}

function hint(may: boolean): void {
	try {
		if (may) localStorage.setItem(HINT, "1");
		else localStorage.removeItem(HINT);
	} catch {
		// Not allowed here: every visit asks.
	}
}

async function whoIs(grant: Grant): Promise<Me> {
	return grant.user ?? call<Me>("GET", "/users/me", undefined, grant.access_token);
}

/** 401 and 403 are the server's word that the session is no more; anything else may pass. */
function isRefusal(failure: Failure): boolean {
	return failure.status === 401 || failure.status === 403;
}

/** Runs while no other tab does. Without Web Locks (plain http from another machine) the server's grace must do. */
async function alone<T>(run: () => Promise<T>): Promise<T> {
	return navigator.locks ? ((await navigator.locks.request(LOCK, run)) as T) : run();
}
