// Messages on their way out. Each keeps its id through every try, so the server stores it once however often it is sent.
// Messages to the same conversation go one after the other, in the order they were written. They are written down before
// they are sent, so that a page that ends goes on with them where it begins again.

import type { Clock } from "./clock";
import { newId } from "./id";
import { Queue, type Queued } from "./queue";
import type { Message, Rejection } from "./types";

/** Where a message goes. A lane keeps its order: the other person's id for a direct conversation, else the conversation's. */
export interface Address {
	lane: string;
	conversation_id?: string;
	recipient_id?: string;
}

export interface Outgoing extends Queued {
	readonly to: Address;
	readonly content: string;
	/** The message it answers. */
	readonly replyToId: string | null;
	readonly writtenAt: string;
	/** Rises from one to the next; two tabs may have the same. */
	readonly order: number;
}

/** Where the messages of one person outlive the page. Nothing here fails: what can't be kept lives as long as the page. */
export interface OutboxStore {
	/** Those that are this page's to send: its own, and those whose page is gone. `more`: another page has gone since. */
	take(more: () => void): Promise<Outgoing[]>;
	put(entry: Outgoing): Promise<unknown>;
	remove(id: string): Promise<unknown>;
	/** Forgets all of this person. */
	clear(): Promise<void>;
	/** Notes at once that the person logs out here, or that it came to nothing; if the page ends on the way, a later take() clears. */
	leaving(leaving: boolean): void;
}

export class Outbox extends Queue<Outgoing> {
	private lastOrder = 0;

	constructor(
		send: (entry: Outgoing) => Promise<Message>,
		clock: Clock,
		changed: () => void,
		private readonly store?: OutboxStore,
	) {
		super(async (entry) => (await send(entry)).seq !== null, clock, changed);
		this.keep(store);
		void this.adopt();
	}

	add(to: Address, content: string, replyToId: string | null = null): void {
		const now = this.clock.now();
		this.lastOrder = Math.max(this.lastOrder + 1, now * 1000);
		this.enqueue({
			id: newId(now),
			lane: to.lane,
			to,
			content,
			replyToId,
			writtenAt: new Date(now).toISOString(),
			order: this.lastOrder,
			state: "pending",
			reason: "",
			accepted: false,
		});
	}

	/** Goes on with what other pages have left behind; nothing is sent before that is known. */
	adopt(): Promise<void> {
		const { store } = this;
		if (!store || this.ended) return Promise.resolve();
		return this.hold(store.take(() => void this.adopt()).then((entries) => this.insert(entries)));
	}

	/** Nobody is to find these messages here: the person has logged out. */
	forget(): Promise<void> {
		this.end();
		return this.store?.clear() ?? Promise.resolve();
	}

	rejected(rejection: Rejection): void {
		const entry = this.entries.find((one) => one.id === rejection.message_id);
		if (entry && rejection.action === "create") this.fail(entry, rejection.code.replaceAll("_", " "));
	}

	private insert(found: Outgoing[]): void {
		const held = new Set(this.entries.map((entry) => entry.id));
		// What the log had accepted is sent again: what became of it may have been told while nobody listened.
		const left = found.filter((entry) => !held.has(entry.id)).map((entry) => ({ ...entry, accepted: false }));
		this.entries = [...left, ...this.entries].sort((a, b) => a.order - b.order);
		if (left.length) this.changed();
		for (const lane of new Set(left.map((entry) => entry.lane))) this.begin(lane);
	}
}
