// Whom and what one wants to hear of, by REST.

import type { Membership, Page, User } from "../core/types";
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

/** `until`: RFC 3339; null: for ever. */
export function mute(session: Session, conversationId: string, until: string | null): Promise<Membership> {
	return session.call("PUT", `/conversations/${conversationId}/mute`, until ? { until } : {});
}

export function unmute(session: Session, conversationId: string): Promise<Membership> {
	return session.call("DELETE", `/conversations/${conversationId}/mute`);
}
