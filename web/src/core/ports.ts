// What the core needs from outside and what it tells: the network and the page stand behind these.

import type { Changes, Conversation, Failure, MessagePage, Page, Rejection, StoredMessage, SyncAnswer, SyncRequest } from "./types";

/** The requests of the core. A call that fails throws a Failure. */
export interface Source {
	sync(request: SyncRequest): Promise<SyncAnswer>;
	conversations(cursor: string | null): Promise<Page<Conversation>>;
	conversation(id: string): Promise<Conversation>;
	messages(id: string, beforeSeq: number | null): Promise<MessagePage>;
	message(id: string, messageId: string): Promise<StoredMessage>;
	changes(id: string, afterRev: number): Promise<Changes>;
}

export interface Listener {
	/** Something that can be shown has changed. */
	changed(): void;
	/** A row that came by any way, also an old one: the outbox looks for its own. */
	stored(message: StoredMessage): void;
	rejected(rejection: Rejection): void;
	/** A request was refused and would be again. Told once: it is asked anew after a hello or a wake. */
	refused(failure: Failure): void;
}
