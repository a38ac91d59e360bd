// Time as the core sees it, so that a test can hold it, and the waiting between two tries.

import { asFailure } from "./types";

export interface Clock {
	now(): number;
	/** Calls back once, after `ms`; the result cancels it. */
	after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
	now: () => Date.now(),
	after(ms, run) {
		const timer = setTimeout(run, ms);
		return () => clearTimeout(timer);
	},
};

/** Full jitter: a random wait below a bound that doubles. */
export class Backoff {
	private tries = 0;

	constructor(
		private readonly baseMs = 300,
		private readonly capMs = 20_000,
	) {}

	next(): number {
		return Math.random() * Math.min(this.capMs, this.baseMs * 2 ** Math.min(this.tries++, 16));
	}

	reset(): void {
		this.tries = 0;
	}
}

/** Waits that can all be cut short: a network that came back is worth a try at once. */
export class Waits {
	private readonly waiting = new Set<() => void>();
	private ended = false;

	constructor(private readonly clock: Clock) {}

	rest(ms: number): Promise<void> {
		return new Promise((resolve) => {
			const cancel = this.clock.after(ms, () => done());
			const done = () => {
				cancel();
				this.waiting.delete(done);
				resolve();
			};
			this.waiting.add(done);
		});
	}

	/** Tries until there is an answer; null only after `end`. Throws what is no use to ask again. */
	async insist<T>(run: () => Promise<T>): Promise<T | null> {
		const backoff = new Backoff();
		while (!this.ended) {
			try {
				const answer = await run();
				return this.ended ? null : answer;
			} catch (error) {
				const failure = asFailure(error);
				if (!failure.retryable) throw failure;
				await this.rest(Math.max(failure.retryAfterMs, backoff.next()));
			}
		}
		return null;
	}

	end(): void {
		this.ended = true;
		this.wake();
	}

	wake(): void {
		for (const done of [...this.waiting]) done();
	}
}
