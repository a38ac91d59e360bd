// What one tells others without waiting for an answer: that one types, and what has come to this device. Both may be lost,
// and neither may cost the socket its rate: typing at most every few seconds, deliveries one after the other.

import type { Clock } from "./clock";

const TYPING_MS = 3_250; // typing_resend_ms and a little: what comes a moment early is not passed on
const PACE_MS = 150;

export class Telling {
	private typedAt = -Infinity;
	private typedIn = "";
	private readonly told = new Map<string, number>();
	private readonly waiting = new Map<string, number>();
	private later: (() => void) | null = null;
	private cancel: (() => void) | null = null;

	constructor(
		/** False: there is no socket now. */
		private readonly tell: (type: string, body: object) => boolean,
		private readonly clock: Clock,
	) {}

	/** A key was pressed. Within the time in which others are told nothing, they are told at its end. */
	typing(conversationId: string): void {
		const waitMs = conversationId === this.typedIn ? this.typedAt + TYPING_MS - this.clock.now() : 0;
		if (waitMs > 0) {
			this.later ??= this.clock.after(waitMs, () => this.typing(conversationId));
			return;
		}
		this.sent();
		if (!this.tell("typing.start", { conversation_id: conversationId })) return;
		this.typedIn = conversationId;
		this.typedAt = this.clock.now();
	}

	/** What was typed is sent, or thrown away. */
	sent(): void {
		this.later?.();
		this.later = null;
	}

	/** All up to `seq` is held here. */
	delivered(conversationId: string, seq: number): void {
		if (seq <= (this.told.get(conversationId) ?? 0)) return;
		this.told.set(conversationId, seq);
		this.waiting.set(conversationId, seq);
		this.cancel ??= this.clock.after(PACE_MS, () => this.next());
	}

	end(): void {
		this.sent();
		this.cancel?.();
		this.waiting.clear();
	}

	private next(): void {
		const [first] = this.waiting;
		this.cancel = null;
		if (!first) return;
		const [id, seq] = first;
		this.waiting.delete(id);
		if (!this.tell("delivered.update", { conversation_id: id, seq })) this.told.delete(id); // once there is a socket again
		if (this.waiting.size) this.cancel = this.clock.after(PACE_MS, () => this.next());
	}
}
