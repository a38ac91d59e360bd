// Tells the server how far each conversation has been read: one request at a time for each, and then only the newest mark.
// A mark only grows while it waits, and is forgotten once it is told or refused: after a restore, lower ones count again.

import { Backoff, type Clock, Waits } from "./clock";
import { asFailure } from "./types";

export class ReadMarks {
	private readonly wanted = new Map<string, number>();
	private readonly telling = new Set<string>();
	private readonly waits: Waits;
	private ended = false;

	constructor(
		private readonly tell: (conversationId: string, seq: number) => Promise<void>,
		clock: Clock,
	) {
		this.waits = new Waits(clock);
	}

	set(conversationId: string, seq: number): void {
		if (seq <= (this.wanted.get(conversationId) ?? 0)) return;
		this.wanted.set(conversationId, seq);
		void this.run(conversationId);
	}

	wake(): void {
		this.waits.wake();
	}

	end(): void {
		this.ended = true;
		this.waits.wake();
	}

	private async run(id: string): Promise<void> {
		if (this.telling.has(id)) return;
		this.telling.add(id);
		const backoff = new Backoff();
		for (let seq = this.wanted.get(id); seq !== undefined && !this.ended; seq = this.wanted.get(id)) {
			const failure = await this.tell(id, seq).then(() => null, asFailure);
			if (failure?.retryable) await this.waits.rest(Math.max(failure.retryAfterMs, backoff.next()));
			else if (this.wanted.get(id) === seq) this.wanted.delete(id);
		}
		this.telling.delete(id);
	}
}
