// What concerns oneself, by REST: profile, password, where one is logged in.

import type { Me, Page } from "../core/types";
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
