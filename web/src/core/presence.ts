// Who is there. A client watches those whom it shows (push/PROTOCOL.md, presence.watch): the list replaces the one before and
// is answered by the present state; what changes comes as it happens. Without a socket nobody is known to be there or not.

import type { Clock } from "./clock";
import { asFailure, type Frame } from "./types";

export const WATCH_MAX = 200;
const RETRY_MS = 2_000;
const SETTLE_MS = 300; // one list for what opens at once

export interface Presence {
	user_id: string;
	connection_status: "online" | "offline" | "unknown";
	last_seen: string | null;
}

export class PresenceWatch {
	private wanted: string[] = [];
	private asked = "";
	private connected = false;
	private readonly counts = new Map<string, number>();
	private readonly held = new Map<string, Presence>();
	private cancel: (() => void) | null = null;

	constructor(
		private readonly watch: (userIds: string[]) => Promise<Frame>,
		private readonly clock: Clock,
		private readonly changed: () => void,
	) {}

	/** Those who are shown, the most wanted first. */
	show(userIds: string[]): void {
		this.wanted = [...new Set(userIds)].slice(0, WATCH_MAX);
		if (this.connected && !this.cancel && key(this.wanted) !== this.asked) this.cancel = this.clock.after(SETTLE_MS, () => void this.ask());
	}

	/** There is a new socket, or there is none. */
	link(connected: boolean): void {
		if (this.connected === connected) return;
		this.connected = connected;
		this.asked = "";
		if (connected) this.show(this.wanted);
		else this.forget();
	}

	frame(frame: Frame): void {
		if (frame.type === "presence.updated") this.take(frame.items ?? []);
		else if (frame.type === "presence.unknown") this.doubt();
		else if (frame.type === "presence.count" && frame.conversation_id) this.counts.set(frame.conversation_id, frame.online ?? 0);
		else return;
		this.changed();
	}

	/** How many are there, of a large conversation; undefined: not known. */
	count(conversationId: string): number | undefined {
		return this.counts.get(conversationId);
	}

	of(userId: string): Presence {
		return this.held.get(userId) ?? { user_id: userId, connection_status: "unknown", last_seen: null };
	}

	end(): void {
		this.cancel?.();
	}

	private async ask(): Promise<void> {
		this.cancel = null;
		const asked = key(this.wanted);
		if (!this.connected || asked === this.asked) return;
		this.asked = asked;
		try {
			const reply = await this.watch(this.wanted);
			if (this.asked !== asked) return;
			for (const id of [...this.held.keys()]) if (!this.wanted.includes(id)) this.held.delete(id);
			this.take(reply.items ?? []);
			this.changed();
		} catch (error) {
			const failure = asFailure(error);
			if (!failure.retryable || !this.connected) return;
			this.asked = "";
			this.cancel ??= this.clock.after(Math.max(failure.retryAfterMs, RETRY_MS), () => void this.ask());
		}
	}

	private take(items: Presence[]): void {
		for (const { user_id, connection_status, last_seen } of items) {
			this.held.set(user_id, { user_id, connection_status, last_seen: last_seen ?? this.held.get(user_id)?.last_seen ?? null });
		}
	}

	private forget(): void {
		this.cancel?.();
		this.cancel = null;
		this.doubt();
		this.changed();
	}

	private doubt(): void {
		for (const one of this.held.values()) one.connection_status = "unknown";
		this.counts.clear();
	}
}

function key(userIds: string[]): string {
	return [...userIds].sort().join();
}
