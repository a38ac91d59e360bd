// Messages on their way out. Each keeps its id through every try, so the server stores it once however often it is sent.
// Messages to the same conversation go one after the other, in the order they were written.

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
}

export class Outbox extends Queue<Outgoing> {
	constructor(send: (entry: Outgoing) => Promise<Message>, clock: Clock, changed: () => void) {
		super(async (entry) => (await send(entry)).seq !== null, clock, changed);
	}

	add(to: Address, content: string, replyToId: string | null = null): void {
		const now = this.clock.now();
		this.enqueue({
			id: newId(now),
			lane: to.lane,
			to,
			content,
			replyToId,
			writtenAt: new Date(now).toISOString(),
			state: "pending",
			reason: "",
			accepted: false,
		});
	}

	rejected(rejection: Rejection): void {
		const entry = this.entries.find((one) => one.id === rejection.message_id);
		if (entry && rejection.action === "create") this.fail(entry, rejection.code.replaceAll("_", " "));
	}
}
