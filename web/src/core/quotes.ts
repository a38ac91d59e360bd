// Reads the messages that others quote and that are not held, each once; without it the quote stays without its text.

import type { Source } from "./ports";
import type { Replica } from "./replica";
import { asFailure } from "./types";

export async function readQuoted(replica: Replica, source: Source, id: string, messageId: string): Promise<void> {
	const stream = replica.streams.get(id);
	if (!stream || stream.asked.has(messageId) || stream.find(messageId)) return;
	stream.asked.add(messageId);
	const mark = replica.mark(id);
	try {
		replica.reply(await source.message(id, messageId), mark);
	} catch (error) {
		if (asFailure(error).retryable) stream.asked.delete(messageId);
	}
}
