// Time in a test: it stands still until the test lets it run, so that nothing waits and nothing depends on luck.

import type { Clock } from "../src/core/clock";

export class World implements Clock {
	time = 0;
	private queue: { at: number; order: number; run: () => void }[] = [];
	private order = 0;

	now(): number {
		return this.time;
	}

	after(ms: number, run: () => void): () => void {
		const job = { at: this.time + Math.max(0, ms), order: this.order++, run };
		this.queue.push(job);
		return () => (this.queue = this.queue.filter((one) => one !== job));
	}

	/** Runs until `until`, letting promises go on between any two jobs. */
	async run(until: number): Promise<void> {
		for (;;) {
			for (let i = 0; i < 20; i++) await null;
			this.queue.sort((a, b) => a.at - b.at || a.order - b.order);
			const job = this.queue[0];
			if (!job || job.at > until) break;
			this.queue.shift();
			this.time = job.at;
			job.run();
		}
		this.time = until;
	}
}
