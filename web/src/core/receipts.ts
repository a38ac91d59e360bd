// What the others in a conversation do besides writing: how far they have received and read, and who types. Best effort: frames
// that pass (push/PROTOCOL.md), rows of members, and what they say. Cursors only grow; typing ends by itself.

import type { Frame, Member } from "./types";

/** As hello's `limits.typing_expire_ms`. */
export const TYPING_EXPIRE_MS = 6_000;

function raise(cursors: Map<string, number>, userId: string, seq: number): void {
	if (seq > (cursors.get(userId) ?? 0)) cursors.set(userId, seq);
}

export class Receipts {
	/** How far each other member has read, as far as it was heard. */
	readonly read = new Map<string, number>();
	/** What was delivered to a device of theirs; never less than what they read. */
	readonly delivered = new Map<string, number>();
	/** Who types, until when. */
	private readonly typingUntil = new Map<string, number>();

	/** An event without a revision. */
	pass(frame: Frame, now: number): void {
		const { user_id: userId, seq = 0 } = frame;
		if (userId === undefined) return;
		if (frame.type === "read.updated") this.hasRead(userId, seq);
		else if (frame.type === "delivered.updated") raise(this.delivered, userId, seq);
		else if (frame.type === "typing.started") this.typingUntil.set(userId, now + TYPING_EXPIRE_MS);
	}

	hasRead(userId: string, seq: number): void {
		raise(this.read, userId, seq);
		raise(this.delivered, userId, seq);
	}

	/** What somebody says has read all before it; the newest message ends their typing. */
	said(userId: string, seq: number, isNewest: boolean): void {
		this.hasRead(userId, seq);
		if (isNewest) this.typingUntil.delete(userId);
	}

	/** Null cursors: the conversation is too large for them. */
	applyMember(row: Member): void {
		this.hasRead(row.user_id, row.read_seq ?? 0);
		raise(this.delivered, row.user_id, row.delivered_seq ?? 0);
	}

	/** Who types at `now`. */
	typing(now: number): string[] {
		return [...this.typingUntil].filter(([, until]) => until > now).map(([userId]) => userId);
	}

	/** When the next of them is forgotten; null: nobody types. */
	nextEnd(now: number): number | null {
		const ends = [...this.typingUntil.values()].filter((until) => until > now);
		return ends.length ? Math.min(...ends) : null;
	}
}
