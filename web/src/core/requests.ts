// What a Follower asks for, and what the answers are measured against. follower.ts says what each kind means.

import type { ConversationStream, Stream } from "./stream";
import type { Changes, Conversation, MessagePage, Page, SyncAnswer, SyncRequest } from "./types";

/** What an answer must be measured against: see rule 3. */
export interface Mark {
	readonly drops: number;
	readonly stream: Stream | null;
	readonly turn: number;
	readonly base: number;
}

export function markOf<Of extends Stream | null>(drops: number, stream: Of): Mark & { readonly stream: Of } {
	return { drops, stream, turn: stream?.turn ?? 0, base: stream?.base ?? 0 };
}

interface Asked {
	readonly mark: Mark;
}

export interface AskedOfOne {
	readonly mark: Mark & { readonly stream: ConversationStream };
	readonly conversationId: string;
}

/** `heard`: what was `seen` when it was asked. An answer below it comes from an older copy of the database. */
export type Request =
	| (Asked & { kind: "sync"; body: SyncRequest; heard: number; held: Map<string, Mark> })
	| (Asked & { kind: "list"; cursor: string | null })
	| (AskedOfOne & { kind: "changes"; afterRev: number; heard: number })
	| (AskedOfOne & { kind: "snapshot"; heard: number })
	| (AskedOfOne & { kind: "page"; beforeSeq: number | null });

export interface Snapshot {
	conversation: Conversation;
	page: MessagePage;
}

export type Answer = SyncAnswer | Page<Conversation> | Changes | Snapshot | MessagePage;
