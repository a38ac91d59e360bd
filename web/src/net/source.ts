// The requests of the core, by REST.

import type { Change } from "../core/changes";
import type { Outgoing } from "../core/outbox";
import type { Source } from "../core/ports";
import type { Membership, Message, StoredMessage, User } from "../core/types";
import type { Session } from "./session";

const PAGE = 50;
const LIST_PAGE = 200;
const FOUND_MAX = 20;

export function restSource(session: Session): Source {
	const get = <T>(path: string, query: Record<string, string | number | null> = {}): Promise<T> => {
		const given = Object.entries(query).flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]]));
		return session.call<T>("GET", given.length ? `${path}?${new URLSearchParams(given)}` : path);
	};
	return {
		sync: (request) => session.call("POST", "/sync", request),
		conversations: (cursor) => get("/conversations", { limit: LIST_PAGE, cursor }),
		conversation: (id) => get(`/conversations/${id}`),
		messages: (id, beforeSeq) => get(`/conversations/${id}/messages`, { limit: PAGE, before_seq: beforeSeq }),
		message: (id, messageId) => get(`/conversations/${id}/messages/${messageId}`),
		changes: (id, afterRev) => get(`/conversations/${id}/changes`, { after_rev: afterRev }),
	};
}

/** Sends one message by REST: the way while no socket is open. */
export function sendByRest(session: Session, { to, id, content, replyToId }: Outgoing): Promise<Message> {
	const draft = { id, content, ...(replyToId ? { reply_to_id: replyToId } : {}) };
	return to.conversation_id
		? session.call("POST", `/conversations/${to.conversation_id}/messages`, draft)
		: session.call("POST", "/messages", { recipient_id: to.recipient_id, ...draft });
}

/** Changes one message by REST. */
export function changeByRest(session: Session, conversationId: string, messageId: string, change: Change): Promise<StoredMessage> {
	const path = `/conversations/${conversationId}/messages/${messageId}`;
	switch (change.action) {
		case "edit":
			return session.call("PATCH", path, { content: change.content });
		case "delete":
			return session.call("DELETE", path);
		default:
			return session.call(change.action === "react" ? "PUT" : "DELETE", `${path}/reactions/${encodeURIComponent(change.emoji)}`);
	}
}

export function markReadByRest(session: Session, conversationId: string, seq: number): Promise<Membership> {
	return session.call("PUT", `/conversations/${conversationId}/read`, { seq });
}

export async function findUsers(session: Session, query: string): Promise<User[]> {
	const page = await session.call<{ items: User[] }>("GET", `/users?${new URLSearchParams({ query, limit: String(FOUND_MAX) })}`);
	return page.items;
}

export interface Readers {
	items: { user_id: string; username: string; display_name: string }[];
	count: number;
	next_cursor: string | null;
}

/** Who has read a message; only their count in a large group. */
export function listReaders(session: Session, message: StoredMessage): Promise<Readers> {
	return session.call("GET", `/conversations/${message.conversation_id}/messages/${message.id}/readers?limit=${LIST_PAGE}`);
}
