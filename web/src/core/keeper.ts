// Renews something in time, for ever: what fails and may pass is tried again, what is refused for good is not. Whoever
// needs the thing later asks for it then, and hears the refusal.

import { Backoff, type Clock } from "./clock";
import { asFailure } from "./types";

export class Keeper {
	private cancel = (): void => {};
	private turn = 0;

	constructor(
		private readonly renew: () => Promise<void>,
		private readonly clock: Clock,
	) {}

	/** The next renewal is due in `ms`, whatever was planned before. */
	dueIn(ms: number): void {
		this.end();
		this.plan(ms, this.turn, new Backoff(1_000));
	}

	end(): void {
		this.turn++;
		this.cancel();
	}

	private plan(ms: number, turn: number, backoff: Backoff): void {
		this.cancel = this.clock.after(ms, () => void this.try(turn, backoff));
	}

	private async try(turn: number, backoff: Backoff): Promise<void> {
		const failure = await this.renew().then(() => null, asFailure);
		if (failure?.retryable && turn === this.turn) this.plan(Math.max(failure.retryAfterMs, backoff.next()), turn, backoff);
	}
}
