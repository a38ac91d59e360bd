// Puts messages and what is on its way into the order and the groups they are shown in.

import type { Outgoing } from "../core/outbox";
import type { StoredMessage } from "../core/types";
import { dayKey, dayOf } from "./time";

export interface Shown {
	id: string;
	senderId: string;
	mine: boolean;
	/** null: deleted. */
	text: string | null;
	timestamp: string;
	edited: boolean;
	state: "pending" | "sent" | "failed";
	reason: string;
	seq: number | null;
	/** The day's name, when it begins with this message. */
	day: string;
	/** First and last of a group: one sender, without a long pause. */
	first: boolean;
	last: boolean;
}

const PAUSE_MS = 5 * 60_000;

export function arrange(messages: StoredMessage[], outgoing: Outgoing[], me: string): Shown[] {
	const shown = [...messages.map((message) => ofMessage(message, me)), ...outgoing.map((entry) => ofOutgoing(entry, me))];
	let before: Shown | undefined;
	for (const item of shown) {
		if (!before || dayKey(before.timestamp) !== dayKey(item.timestamp)) item.day = dayOf(item.timestamp);
		item.first = !before || item.day !== "" || !together(before, item);
		if (before) before.last = item.first;
		before = item;
	}
	return shown;
}

/** True when both look the same. */
export function same(a: Shown, b: Shown): boolean {
	return (Object.keys(a) as (keyof Shown)[]).every((field) => a[field] === b[field]);
}

function together(a: Shown, b: Shown): boolean {
	return a.senderId === b.senderId && Date.parse(b.timestamp) - Date.parse(a.timestamp) < PAUSE_MS;
}

function ofMessage(message: StoredMessage, me: string): Shown {
	return {
		id: message.id,
		senderId: message.sender_id,
		mine: message.sender_id === me,
		text: message.deleted ? null : message.content,
		timestamp: message.timestamp,
		edited: !!message.edited_at,
		state: "sent",
		reason: "",
		seq: message.seq,
		day: "",
		first: true,
		last: true,
	};
}

function ofOutgoing(entry: Outgoing, me: string): Shown {
	return {
		id: entry.id,
		senderId: me,
		mine: true,
		text: entry.content,
		timestamp: entry.writtenAt,
		edited: false,
		state: entry.state,
		reason: entry.reason,
		seq: null,
		day: "",
		first: true,
		last: true,
	};
}
