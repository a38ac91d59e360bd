// Puts messages and what is on its way into the order and the groups they are shown in.

import type { PendingChange } from "../core/changes";
import { withChanges } from "../core/changes";
import type { Outgoing } from "../core/outbox";
import { type Floor, type Receipt, receiptOf } from "../core/floor";
import type { Reaction, StoredMessage } from "../core/types";
import { dayKey, dayOf } from "./time";

export interface Shown {
	id: string;
	/** The row below what is pending; null while the message itself is on its way. */
	row: StoredMessage | null;
	senderId: string;
	mine: boolean;
	/** null: deleted. */
	text: string | null;
	timestamp: string;
	edited: boolean;
	state: "pending" | "sent" | "failed";
	/** A change of it: on its way or refused; its id is the change's. */
	change: "" | "pending" | "failed";
	changeId: string;
	reason: string;
	/** Until when the server has asked it to wait, and why; 0: it has not. */
	waitsUntil: number;
	waitsFor: string;
	seq: number | null;
	reactions: Reaction[];
	replyToId: string | null;
	/** The message it answers, when that is held. */
	quoted: StoredMessage | null;
	/** How far one's own message has come with everybody else; "": not said. */
	receipt: "" | Receipt;
	/** The day's name, when it begins with this message. */
	day: string;
	/** First and last of a group: one sender, without a long pause. */
	first: boolean;
	last: boolean;
}

const PAUSE_MS = 5 * 60_000;
const NO_REACTIONS: Reaction[] = [];

export interface Material {
	messages: StoredMessage[];
	outgoing: Outgoing[];
	changes: PendingChange[];
	me: string;
	find(id: string): StoredMessage | undefined;
	floor: Floor | null;
	/** Not where the other one is blocked. */
	hasReceipts: boolean;
}

export function arrange(material: Material): Shown[] {
	const { messages, me } = material;
	// Stored by an earlier try whose answer was lost: it is shown as the message it is.
	const stillOut = material.outgoing.filter((entry) => !material.find(entry.id));
	const changes = new Map<string, PendingChange[]>();
	for (const change of material.changes) changes.set(change.messageId, [...(changes.get(change.messageId) ?? []), change]);
	const shown = [...messages.map((row) => ofMessage(row, changes.get(row.id) ?? [], me)), ...stillOut.map((entry) => ofOutgoing(entry, me))];
	let before: Shown | undefined;
	for (const item of shown) {
		if (item.mine && item.seq !== null && material.hasReceipts) item.receipt = receiptOf(item.seq, material.floor);
		if (item.replyToId) item.quoted = material.find(item.replyToId) ?? null;
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

function ofMessage(row: StoredMessage, changes: PendingChange[], me: string): Shown {
	const message = withChanges(row, changes, me);
	const failed = changes.find((change) => change.state === "failed");
	return {
		id: row.id,
		row,
		senderId: row.sender_id,
		mine: row.sender_id === me,
		text: message.deleted ? null : message.content,
		timestamp: row.timestamp,
		edited: !!message.edited_at && !message.deleted,
		state: "sent",
		change: failed ? "failed" : message === row ? "" : "pending",
		changeId: failed?.id ?? "",
		reason: failed?.reason ?? "",
		waitsUntil: 0,
		waitsFor: "",
		seq: row.seq,
		reactions: message.reactions?.length ? message.reactions : NO_REACTIONS,
		replyToId: message.deleted ? null : (row.reply_to_id ?? null),
		quoted: null,
		receipt: "",
		day: "",
		first: true,
		last: true,
	};
}

function ofOutgoing(entry: Outgoing, me: string): Shown {
	return {
		id: entry.id,
		row: null,
		senderId: me,
		mine: true,
		text: entry.content,
		timestamp: entry.writtenAt,
		edited: false,
		state: entry.state,
		change: "",
		changeId: "",
		reason: entry.reason,
		waitsUntil: entry.waits?.until ?? 0,
		waitsFor: entry.waits?.code ?? "",
		seq: null,
		reactions: NO_REACTIONS,
		replyToId: entry.replyToId,
		quoted: null,
		receipt: "",
		day: "",
		first: true,
		last: true,
	};
}
