// Changes of messages on their way out: edits, deletions, reactions. They are shown at once, as if they were done already.
//
// A change says what is to hold, so it may be sent again until there is an answer. Changes of one message go in their order.

import type { Clock } from "./clock";
import { newId } from "./id";
import { Queue, type Queued } from "./queue";
import type { Reaction, StoredMessage } from "./types";

export type Change =
	| { action: "edit"; content: string }
	| { action: "delete" }
	| { action: "react" | "unreact"; emoji: string };

export interface PendingChange extends Queued {
	readonly conversationId: string;
	readonly messageId: string;
	readonly change: Change;
}

export class ChangeQueue extends Queue<PendingChange> {
	constructor(send: (entry: PendingChange) => Promise<void>, clock: Clock, changed: () => void) {
		super(async (entry) => (await send(entry), true), clock, changed);
	}

	add(message: StoredMessage, change: Change): void {
		// What failed before was about the same thing, and is answered by a new try.
		for (const old of this.of(message.id)) if (old.state === "failed" && subject(old.change) === subject(change)) this.remove(old.id);
		this.enqueue({
			id: newId(this.clock.now()),
			lane: message.id,
			conversationId: message.conversation_id,
			messageId: message.id,
			change,
			state: "pending",
			reason: "",
			accepted: false,
		});
	}

	of(messageId: string): PendingChange[] {
		return this.entries.filter((entry) => entry.messageId === messageId);
	}
}

function subject(change: Change): string {
	return "emoji" in change ? change.emoji : "text";
}

/** A message as it will be when what is pending is done; the same object when there is nothing. */
export function withChanges(message: StoredMessage, pending: PendingChange[], me: string): StoredMessage {
	return pending.reduce((row, entry) => (entry.state === "pending" ? apply(row, entry.change, me) : row), message);
}

function apply(row: StoredMessage, change: Change, me: string): StoredMessage {
	if (row.deleted) return row;
	switch (change.action) {
		case "edit":
			return row.content === change.content ? row : { ...row, content: change.content, edited_at: row.edited_at ?? row.timestamp };
		case "delete":
			return { ...row, content: null, deleted: true, reactions: [] };
		default:
			return react(row, change.emoji, change.action === "react", me);
	}
}

function react(row: StoredMessage, emoji: string, on: boolean, me: string): StoredMessage {
	const reactions = row.reactions ?? [];
	const old = reactions.find((one) => one.emoji === emoji);
	if (on === !!old?.user_ids.includes(me)) return row;
	if (!old) return { ...row, reactions: [...reactions, { emoji, count: 1, user_ids: [me] }] };
	const next: Reaction = on
		? { emoji, count: old.count + 1, user_ids: [...old.user_ids, me] }
		: { emoji, count: old.count - 1, user_ids: old.user_ids.filter((id) => id !== me) };
	return { ...row, reactions: reactions.map((one) => (one === old ? next : one)).filter((one) => one.count > 0) };
}
