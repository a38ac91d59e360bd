// What concerns oneself, by REST: profile, password, where one is logged in.

import { Failure, type Me, type Page } from "../core/types";
import type { Session } from "./session";

const PAGE = 200;

export interface Login {
	id: string;
	user_agent: string | null;
	address: string | null;
	created_at: string;
	last_used_at: string;
	current: boolean;
}

export async function changeDisplayName(session: Session, displayName: string): Promise<void> {
	session.became(await session.call<Me>("PATCH", "/users/me", { display_name: displayName }));
}

export function changePassword(session: Session, current: string, next: string): Promise<void> {
	return session.call("PUT", "/users/me/password", { current_password: current, new_password: next });
}

/** The newest of them: nobody reads on beyond a page. */
export async function listLogins(session: Session): Promise<Login[]> {
	return (await session.call<Page<Login>>("GET", `/auth/sessions?limit=${PAGE}`)).items;
}

export function endLogin(session: Session, id: string): Promise<void> {
	return session.call("DELETE", `/auth/sessions/${id}`);
}

/** Ends all but this one. */
export function endOtherLogins(session: Session): Promise<void> {
	return session.call("DELETE", "/auth/sessions");
}

export interface AccessToken {
	id: string;
	name: string;
	/** What the token begins with. */
	prefix: string;
	last_used_at: string | null;
	expires_at: string;
}

/** Told once. */
export type NewAccessToken = AccessToken & { token: string };

export async function listTokens(session: Session): Promise<AccessToken[]> {
	return (await session.call<{ items: AccessToken[] }>("GET", "/auth/tokens")).items;
}

export function makeToken(session: Session, name: string, seconds: number): Promise<NewAccessToken> {
	return session.call("POST", "/auth/tokens", { name, expires_in: seconds });
}

export function endToken(session: Session, id: string): Promise<void> {
	return session.call("DELETE", `/auth/tokens/${id}`);
}

/** Ends the account; the page goes back to the log-in. */
export async function deleteMe(session: Session, password: string): Promise<void> {
	await session.call("DELETE", "/users/me", { password });
	session.end("logged_out");
}

/** Everything that is one's own, as lines of JSON. `progress` hears how many there are so far. */
export async function exportMe(session: Session, progress: (rows: number) => void): Promise<Blob> {
	const parts: string[] = [];
	let rows = 0;
	for (let cursor: string | null = ""; cursor !== null; ) {
		const query = new URLSearchParams({ limit: String(PAGE), ...(cursor ? { cursor } : {}) });
		const page: Page<object> = await insist(() => session.call("GET", `/users/me/export?${query}`));
		parts.push(...page.items.map((row) => `${JSON.stringify(row)}\n`));
		progress((rows += page.items.length));
		cursor = page.next_cursor;
	}
	return new Blob(parts, { type: "application/x-ndjson" });
}

/** A page that is refused for the rate is asked for again when the server says. */
async function insist<T>(ask: () => Promise<T>): Promise<T> {
	for (;;) {
		try {
			return await ask();
		} catch (error) {
			if (!(error instanceof Failure) || error.code !== "rate_limited") throw error;
			await new Promise((done) => setTimeout(done, Math.max(error.retryAfterMs, 1_000)));
		}
	}
}
