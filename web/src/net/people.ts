// Whom one wants to hear from, by REST.

import type { Page, User } from "../core/types";
import type { Session } from "./session";

const PAGE = 200;

export interface Blocked {
	user: User;
	created_at: string;
}

export function block(session: Session, userId: string): Promise<void> {
	return session.call("PUT", `/users/me/blocks/${userId}`);
}

export function unblock(session: Session, userId: string): Promise<void> {
	return session.call("DELETE", `/users/me/blocks/${userId}`);
}

export function listBlocked(session: Session, cursor: string | null): Promise<Page<Blocked>> {
	return session.call("GET", `/users/me/blocks?${new URLSearchParams({ limit: String(PAGE), ...(cursor ? { cursor } : {}) })}`);
}
