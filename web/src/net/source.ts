// The requests of the core, by REST.

import type { Address } from "../core/outbox";
import type { Source } from "../core/ports";
import type { Message, User } from "../core/types";
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
		changes: (id, afterRev) => get(`/conversations/${id}/changes`, { after_rev: afterRev }),
	};
}

/** Sends one message by REST: the way while no socket is open. */
export function sendByRest(session: Session, to: Address, id: string, content: string): Promise<Message> {
	return to.conversation_id
		? session.call("POST", `/conversations/${to.conversation_id}/messages`, { id, content })
		: session.call("POST", "/messages", { recipient_id: to.recipient_id, id, content });
}

export async function findUsers(session: Session, query: string): Promise<User[]> {
	const page = await session.call<{ items: User[] }>("GET", `/users?${new URLSearchParams({ query, limit: String(FOUND_MAX) })}`);
	return page.items;
}
