// How far one's own messages have come: up to where everybody else in a conversation has received and read it.

import type { ConversationStream } from "./stream";

const MEMBERS_MAX = 250; // above it nobody's cursor is told

export type Receipt = "sent" | "delivered" | "read";

export interface Floor {
	read: number;
	delivered: number;
}

/** null where it can't be said: of a large group, of one of whom not all are known, of notes to oneself. */
export function floorOf(stream: ConversationStream): Floor | null {
	const count = stream.conversation?.member_count ?? 0;
	const { read, delivered } = stream.receipts;
	const others = new Set([...stream.present(), ...delivered.keys()]);
	for (const row of stream.members.values()) if (row.left_at) others.delete(row.user_id);
	others.delete(stream.userId);
	if (count > MEMBERS_MAX || others.size === 0 || others.size < count - 1) return null;
	const least = (cursors: Map<string, number>) => Math.min(...[...others].map((id) => cursors.get(id) ?? 0));
	return { read: least(read), delivered: least(delivered) };
}

export function receiptOf(seq: number, floor: Floor | null): Receipt {
	if (!floor || seq > floor.delivered) return "sent";
	return seq > floor.read ? "delivered" : "read";
}
