// Work on its way to the server, in lanes: within one it goes in order, one at a time, until there is an answer.
//
// A failure that is retryable is tried again until there is an answer, and so is an answer that can't be understood: what
// is sent here may be sent twice. Any other failure stops that entry, and the person decides.

import { Backoff, type Clock, Waits } from "./clock";
import { asFailure, type Failure } from "./types";

const HOLD_MAX_MS = 2_000;

export interface Queued {
	readonly id: string;
	readonly lane: string;
	state: "pending" | "failed";
	/** Why it failed, for the person. */
	reason: string;
	/** The log has taken it; the conversation will show it, or a rejection will say why not. */
	accepted: boolean;
	/** The server has asked to wait until then (epoch milliseconds), for this reason. */
	waits?: { until: number; code: string };
}

// What a try before its time would only be refused for again.
const RATES = new Set(["rate_limited", "slow_mode"]);

/** Where entries are written down; see OutboxStore. */
interface Keeping<Entry> {
	put(entry: Entry): Promise<unknown>;
	remove(id: string): Promise<unknown>;
}

export class Queue<Entry extends Queued> {
	entries: Entry[] = [];
	private readonly running = new Set<string>();
	private readonly waits: Waits;
	protected ended = false;
	private keeping: Keeping<Entry> | undefined;
	/** What is to happen before anything more is sent. */
	private held: Promise<void> = Promise.resolve();

	/** `send` answers false when the entry was accepted but isn't done. */
	constructor(
		private readonly send: (entry: Entry) => Promise<boolean>,
		protected readonly clock: Clock,
		protected readonly changed: () => void,
	) {
		this.waits = new Waits(clock);
	}

	/** Tries what has failed again, as it was. */
	retry(id: string): void {
		const entry = this.entries.find((one) => one.id === id);
		if (entry?.state !== "failed") return;
		entry.state = "pending";
		entry.accepted = false;
		this.write(entry);
		this.changed();
		this.begin(entry.lane);
	}

	remove(id: string): void {
		if (!this.entries.some((entry) => entry.id === id)) return;
		this.entries = this.entries.filter((entry) => entry.id !== id);
		void this.keeping?.remove(id);
		this.changed();
	}

	wake(): void {
		this.waits.wake();
	}

	end(): void {
		this.ended = true;
		this.waits.wake();
	}

	/** Writes entries down from now on. */
	protected keep(keeping: Keeping<Entry> | undefined): void {
		this.keeping = keeping;
	}

	/** Nothing more is sent before `done`, or before it has had its time. */
	protected hold(done: Promise<unknown>): Promise<void> {
		const over = new Promise<void>((resolve) => {
			const cancel = this.clock.after(HOLD_MAX_MS, resolve);
			void done.then(() => (cancel(), resolve()));
		});
		this.held = Promise.all([this.held, over]).then(() => {});
		return this.held;
	}

	protected enqueue(entry: Entry): void {
		this.entries = [...this.entries, entry];
		this.write(entry);
		this.changed();
		this.begin(entry.lane);
	}

	protected fail(entry: Entry, reason: string): void {
		entry.state = "failed";
		entry.reason = reason;
		this.write(entry);
		this.changed();
	}

	protected begin(lane: string): void {
		void this.run(lane);
	}

	private wait(entry: Entry, { code, retryAfterMs }: Failure): void {
		entry.waits = { until: this.clock.now() + retryAfterMs, code };
		this.changed();
	}

	private write(entry: Entry): void {
		if (this.keeping && !this.ended) void this.hold(this.keeping.put({ ...entry }));
	}

	private next(lane: string): Entry | undefined {
		return this.entries.find((entry) => entry.lane === lane && entry.state === "pending" && !entry.accepted);
	}

	private async run(lane: string): Promise<void> {
		if (this.running.has(lane)) return;
		this.running.add(lane);
		const backoff = new Backoff();
		try {
			await this.held;
			for (let entry = this.next(lane); entry && !this.ended; entry = this.next(lane)) {
				const waitMs = await this.attempt(entry);
				if (waitMs === null) backoff.reset();
				else await this.rest(entry, Math.max(waitMs, backoff.next()));
				await this.held;
			}
		} finally {
			this.running.delete(lane);
		}
	}

	/** A network that comes back ends the wait, but not one that the server has asked for. */
	private async rest(entry: Entry, ms: number): Promise<void> {
		do {
			await this.waits.rest(entry.waits ? entry.waits.until - this.clock.now() : ms);
		} while (entry.waits && entry.waits.until > this.clock.now() && !this.ended && this.entries.includes(entry));
		delete entry.waits;
	}

	/** null when there is nothing more to do for it, else the least time to wait before the next try. */
	private async attempt(entry: Entry): Promise<number | null> {
		try {
			if (await this.send(entry)) this.remove(entry.id);
			else entry.accepted = true;
			return null;
		} catch (error) {
			const failure = asFailure(error);
			if (failure.retryable) {
				if (RATES.has(failure.code) && failure.retryAfterMs) this.wait(entry, failure);
				return failure.retryAfterMs;
			}
			if (!this.ended) this.fail(entry, failure.detail);
			return null;
		}
	}
}
