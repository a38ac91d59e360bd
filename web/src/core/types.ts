// The shapes of the contract (api/openapi.yaml, push/PROTOCOL.md) as far as this client uses them.

import type { BlockRow } from "./blocks";
import type { Presence } from "./presence";

export interface User {
	id: string;
	username: string;
	display_name: string;
}

/** Oneself. */
export interface Me extends User {
	role?: "member" | "admin";
	/** The password was for once: nothing else is served before it is changed. */
	must_change_password?: boolean;
}

export interface Message {
	id: string;
	conversation_id: string;
	/** null while the log has accepted the message and no worker has stored it. */
	seq: number | null;
	rev: number | null;
	sender_id: string;
	recipient_id: string | null;
	content: string | null;
	timestamp: string;
	edited_at?: string | null;
	deleted?: boolean;
	reply_to_id?: string | null;
	/** The one given first comes first. */
	reactions?: Reaction[];
}

export interface Reaction {
	emoji: string;
	count: number;
	/** The first of them, at most 20. */
	user_ids: string[];
}

/** A message that has its place in the history. */
export type StoredMessage = Message & { seq: number; rev: number };

export interface Member {
	user_id: string;
	username: string;
	display_name: string;
	role: string;
	rev: number;
	left_at?: string | null;
	/** Null in a large conversation. */
	read_seq?: number | null;
	delivered_seq?: number | null;
}

export interface Conversation {
	id: string;
	kind: "direct" | "group";
	title: string | null;
	members: Member[];
	member_count: number;
	last_message: StoredMessage | null;
	unread_count: number;
	read_seq: number;
	last_seq: number;
	last_rev: number;
	created_at: string;
	/** Seconds between two messages of a member; 0 or absent: none. */
	slow_mode_s?: number;
	/** One's own; null where the row is nobody's in particular. */
	role?: string | null;
	muted_until?: string | null;
}

export interface Page<T> {
	items: T[];
	next_cursor: string | null;
}

export interface MessagePage {
	items: StoredMessage[];
	has_more_before: boolean;
	has_more_after: boolean;
	last_seq: number;
	last_rev: number;
}

export interface Changes {
	messages: StoredMessage[];
	members: Member[];
	conversation: Conversation | null;
	next_after_rev: number;
	last_rev: number;
	has_more: boolean;
}

/** A row of the person's stream: `rev` is the member's in the conversation, `me` that of the person's stream. */
export interface Membership {
	conversation_id: string;
	member: boolean;
	rev: number;
	me: number;
	read_seq?: number;
	role?: string;
	muted_until?: string | null;
}

export interface Rejection {
	conversation_id: string;
	message_id: string;
	action: string;
	code: string;
}

export interface SyncRequest {
	epoch?: string;
	me?: number;
	known?: Record<string, number>;
	cursor?: string;
}

export interface SyncAnswer {
	epoch: string;
	me: { rev: number; memberships: Membership[]; rejections?: Rejection[]; blocks?: BlockRow[] };
	conversations: { conversation_id: string; last_seq: number; last_rev: number }[];
	removed: string[];
	next_cursor: string | null;
}

export interface Hello {
	type: "hello";
	epoch: string;
	me: number;
	mode: string;
	user_id: string;
	heartbeat_ms: number;
	token_expires_in: number;
	sync_required?: boolean;
}

/** Any frame of the server; every field but the type is optional, and what is unknown is ignored. */
export interface Frame {
	type: string;
	conversation_id?: string;
	rev?: number;
	me?: number;
	epoch?: string;
	sync_required?: boolean;
	message?: StoredMessage;
	member?: Member;
	members?: Member[];
	messages?: StoredMessage[];
	conversation?: Conversation | null;
	memberships?: Membership[];
	rejections?: Rejection[];
	snapshot?: boolean;
	after_rev?: number;
	next_after_rev?: number;
	last_rev?: number;
	pull_after_ms?: number;
	reset?: boolean;
	mode?: string;
	after_ms?: number;
	message_id?: string;
	user_id?: string;
	seq?: number;
	reactions?: Reaction[];
	read_seq?: number;
	code?: string;
	limits?: { typing_expire_ms?: number };
	items?: Presence[];
	online?: number;
	blocked?: boolean;
	role?: string;
	muted_until?: string | null;
	blocks?: BlockRow[];
	user?: User;
}

/** Why a request failed. status 0: no answer came. */
export class Failure extends Error {
	constructor(
		readonly status: number,
		readonly code: string,
		readonly detail: string,
		readonly retryable: boolean,
		readonly retryAfterMs: number = 0,
		readonly fields: { field: string; detail: string }[] = [],
	) {
		super(`${status} ${code}`);
	}
}

/** What was caught, as a Failure. Anything else was an answer of a shape nobody expected: the console says more. */
export function asFailure(error: unknown): Failure {
	if (error instanceof Failure) return error;
	console.error(error);
	return new Failure(0, "unexpected_answer", "The server gave an answer this page does not understand.", true);
}
