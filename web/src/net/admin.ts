// What administrators of the server ask for, by REST.

import type { Page } from "../core/types";
import type { Session } from "./session";

const PAGE = 50;

export interface Account {
	id: string;
	username: string;
	display_name: string;
	role: "member" | "admin";
	created_at: string;
	state: "active" | "disabled" | "deleted";
}

export interface Invite {
	id: string;
	state: "open" | "used" | "expired" | "revoked";
	note: string | null;
	created_at: string;
	expires_at: string;
}

export type SignUp = "open" | "invite" | "closed";

export interface AuditEntry {
	id: string;
	at: string;
	/** A person's id, or operator:<account>. */
	actor: string;
	action: string;
	target: string | null;
	address: string | null;
	detail: Record<string, unknown>;
}

function page<T>(session: Session, path: string, cursor: string | null, query: Record<string, string> = {}): Promise<Page<T>> {
	const given = new URLSearchParams({ limit: String(PAGE), ...query, ...(cursor ? { cursor } : {}) });
	return session.call("GET", `/admin/${path}?${given}`);
}

export function listAccounts(session: Session, query: string, state: string, cursor: string | null): Promise<Page<Account>> {
	return page(session, "users", cursor, { state, ...(query ? { query } : {}) });
}

export function changeAccount(session: Session, id: string, change: { disabled?: boolean; role?: Account["role"] }): Promise<Account> {
	return session.call("PATCH", `/admin/users/${id}`, change);
}

export function deleteAccount(session: Session, id: string): Promise<void> {
	return session.call("DELETE", `/admin/users/${id}`);
}

/** A password that is good for one log-in. */
export function resetPassword(session: Session, id: string): Promise<{ password: string; expires_at: string }> {
	return session.call("POST", `/admin/users/${id}/password-reset`);
}

export function listInvites(session: Session, cursor: string | null): Promise<Page<Invite>> {
	return page(session, "invites", cursor);
}

export function makeInvite(session: Session, note: string, seconds: number): Promise<Invite & { code: string }> {
	return session.call("POST", "/admin/invites", { expires_in: seconds, ...(note ? { note } : {}) });
}

export function revokeInvite(session: Session, id: string): Promise<void> {
	return session.call("DELETE", `/admin/invites/${id}`);
}

export async function readSignUp(session: Session): Promise<SignUp> {
	return (await session.call<{ sign_up: SignUp }>("GET", "/admin/settings")).sign_up;
}

export async function setSignUp(session: Session, signUp: SignUp): Promise<SignUp> {
	return (await session.call<{ sign_up: SignUp }>("PATCH", "/admin/settings", { sign_up: signUp })).sign_up;
}

export function listAudit(session: Session, cursor: string | null): Promise<Page<AuditEntry>> {
	return page(session, "audit", cursor);
}
