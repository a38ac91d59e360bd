// Groups and who is in them, by REST.

import type { Conversation, Member, Page } from "../core/types";
import type { Session } from "./session";

export const ADD_MAX = 100; // people the server takes in one request
const PAGE = 100;

export type Role = "owner" | "admin" | "member";

export interface GroupChange {
	title?: string;
	slow_mode_s?: number;
}

/** `id` is the page's own, so that a repeated request makes no second group. */
export function createGroup(session: Session, id: string, title: string, memberIds: string[]): Promise<Conversation> {
	return session.call("POST", "/conversations", { kind: "group", id, title, member_ids: memberIds });
}

export function changeGroup(session: Session, id: string, change: GroupChange): Promise<Conversation> {
	return session.call("PATCH", `/conversations/${id}`, change);
}

export function deleteGroup(session: Session, id: string): Promise<unknown> {
	return session.call("DELETE", `/conversations/${id}`);
}

export function listMembers(session: Session, id: string, cursor: string | null): Promise<Page<Member>> {
	const query = new URLSearchParams({ limit: String(PAGE), ...(cursor ? { cursor } : {}) });
	return session.call("GET", `/conversations/${id}/members?${query}`);
}

export async function addMembers(session: Session, id: string, userIds: string[]): Promise<void> {
	for (let at = 0; at < userIds.length; at += ADD_MAX) {
		await session.call("POST", `/conversations/${id}/members`, { user_ids: userIds.slice(at, at + ADD_MAX) });
	}
}

export function changeRole(session: Session, id: string, userId: string, role: Role): Promise<unknown> {
	return session.call("PATCH", `/conversations/${id}/members/${userId}`, { role });
}

/** Of oneself: leaves. */
export function removeMember(session: Session, id: string, userId: string): Promise<unknown> {
	return session.call("DELETE", `/conversations/${id}/members/${userId}`);
}
