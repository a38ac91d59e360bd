// Messages on their way out. Each keeps its id through every try, so the server stores it once however often it is sent.
//
// Messages to the same conversation go one after the other, in the order they were written. A failure that is retryable
// is tried again until there is an answer, and so is an answer that can't be understood: the message may be stored, its id
// makes another try safe. Any other failure stops that message, and the person decides. Held in memory.

import { Backoff, type Clock, Waits } from "./clock";
import { newId } from "./id";
import { asFailure, type Message, type Rejection } from "./types";

/** Where a message goes. A lane keeps its order: the other person's id for a direct conversation, else the conversation's. */
export interface Address {
	lane: string;
	conversation_id?: string;
	recipient_id?: string;
}

export interface Outgoing {
	readonly id: string;
	readonly to: Address;
	readonly content: string;
	readonly writtenAt: string;
	state: "pending" | "failed";
	/** Why it failed, for the person. */
	reason: string;
	/** The log has taken it; the conversation will show it, or a rejection will say why not. */
	accepted: boolean;
}

export class Outbox {
	entries: Outgoing[] = [];
	private readonly running = new Set<string>();
	private readonly waits: Waits;
	private ended = false;

	constructor(
		private readonly send: (entry: Outgoing) => Promise<Message>,
		private readonly clock: Clock,
		private readonly changed: () => void,
	) {
		this.waits = new Waits(clock);
	}

	add(to: Address, content: string): void {
		const now = this.clock.now();
		const entry: Outgoing = {
			id: newId(now),
			to,
			content,
			writtenAt: new Date(now).toISOString(),
			state: "pending",
			reason: "",
			accepted: false,
		};
		this.entries = [...this.entries, entry];
		this.changed();
		void this.run(to.lane);
	}

	/** Tries a failed message again, with its id. */
	retry(id: string): void {
		const entry = this.entries.find((one) => one.id === id);
		if (entry?.state !== "failed") return;
		entry.state = "pending";
		entry.accepted = false;
		this.changed();
		void this.run(entry.to.lane);
	}

	remove(id: string): void {
		if (!this.entries.some((entry) => entry.id === id)) return;
		this.entries = this.entries.filter((entry) => entry.id !== id);
		this.changed();
	}

	rejected(rejection: Rejection): void {
		const entry = this.entries.find((one) => one.id === rejection.message_id);
		if (entry && rejection.action === "create") this.fail(entry, rejection.code.replaceAll("_", " "));
	}

	wake(): void {
		this.waits.wake();
	}

	end(): void {
		this.ended = true;
		this.waits.wake();
	}

	private fail(entry: Outgoing, reason: string): void {
		entry.state = "failed";
		entry.reason = reason;
		this.changed();
	}

	private next(lane: string): Outgoing | undefined {
		return this.entries.find((entry) => entry.to.lane === lane && entry.state === "pending" && !entry.accepted);
	}

	private async run(lane: string): Promise<void> {
		if (this.running.has(lane)) return;
		this.running.add(lane);
		const backoff = new Backoff();
		try {
			for (let entry = this.next(lane); entry && !this.ended; entry = this.next(lane)) {
				const waitMs = await this.attempt(entry);
				if (waitMs === null) backoff.reset();
				else await this.waits.rest(Math.max(waitMs, backoff.next()));
			}
		} finally {
			this.running.delete(lane);
		}
	}

	/** null when there is nothing more to do for it, else the least time to wait before the next try. */
	private async attempt(entry: Outgoing): Promise<number | null> {
		try {
			const message = await this.send(entry);
			if (message.seq === null) entry.accepted = true;
			else this.remove(entry.id);
			return null;
		} catch (error) {
			const failure = asFailure(error);
			if (failure.retryable) return failure.retryAfterMs;
			this.fail(entry, failure.detail);
			return null;
		}
	}
}
