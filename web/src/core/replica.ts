// What one device holds of the conversations of one person, kept true to the server: drives a Follower. Frames come in by
// `frame`, requests go out by `Source` and are tried again as long as that may help; it knows neither the page nor the
// network.
//
// The base is read once (`start`): the person's stream by POST /sync, then the list of conversations, whose items are the
// start of their streams. `known()` is what the socket says when it authenticates; from then on frames, gaps and pulls.

import { Backoff, type Clock } from "./clock";
import { Follower } from "./follower";
import type { Listener, Source } from "./ports";
import type { Answer, Mark, Request } from "./requests";
import type { ConversationStream } from "./stream";
import { asFailure, type Failure, type Frame, type StoredMessage } from "./types";

interface Reader {
	resolve(): void;
	reject(failure: Failure): void;
}

export class Replica {
	private readonly follower: Follower;
	private ended = false;
	private cancelTimer = (): void => {};
	private starting: (() => void)[] = [];
	/** Who waits for an older page, by conversation. */
	private readonly readers = new Map<string, Reader[]>();
	/** The waits between the tries of one stream's requests; of the list under the replica itself. */
	private readonly backoffs = new WeakMap<object, Backoff>();

	constructor(
		readonly userId: string,
		private readonly source: Source,
		private readonly clock: Clock,
		private readonly listener: Listener,
	) {
		this.follower = new Follower(userId, true, listener);
	}

	get streams(): ReadonlyMap<string, ConversationStream> {
		return this.follower.conversations;
	}

	get epoch(): string | undefined {
		return this.follower.epoch;
	}

	/** The list was read once: an empty one is empty. */
	get listed(): boolean {
		return this.follower.listed;
	}

	/** Nothing is asked or told from here on. */
	end(): void {
		this.ended = true;
		this.cancelTimer();
		this.tellReaders();
	}

	/** What failed is tried at once, and what was refused once more: the network is back, or the person asks. */
	wake(): void {
		this.does(() => this.follower.wake(this.clock.now()));
	}

	/** What `auth` says of the state held here. */
	known(): ReturnType<Follower["auth"]> {
		return this.follower.auth();
	}

	/** Reads the base, however long it takes; without one only when the server refuses. */
	start(): Promise<void> {
		return new Promise((resolve) => {
			this.starting.push(resolve);
			this.does(() => this.follower.start(this.clock.now()));
		});
	}

	frame(frame: Frame): void {
		this.does(() => this.follower.frame(frame, this.clock.now()));
	}

	mark(conversationId: string | undefined): Mark {
		return this.follower.mark(conversationId);
	}

	/** The row of a message one has sent, changed or asked for. A reply never moves `known`. */
	reply(message: StoredMessage, mark: Mark): void {
		this.does(() => this.follower.reply(message, mark, this.clock.now()));
	}

	/** How far one has read, here. */
	read(id: string, seq: number): void {
		this.does(() => this.streams.get(id)?.applyRead(seq));
	}

	/** The answer to one's own mark. */
	markedRead(id: string, seq: number, me: number): void {
		this.does(() => this.follower.markedRead(id, seq, me, this.clock.now()));
	}

	/** Reads the page above what is shown (the newest at first). Throws when it can't be had. */
	older(id: string): Promise<void> {
		const stream = this.streams.get(id);
		if (this.ended || !stream?.hasMoreBefore || stream.known === null) return Promise.resolve();
		return new Promise((resolve, reject) => {
			this.readers.set(id, [...(this.readers.get(id) ?? []), { resolve, reject }]);
			this.does(() => this.follower.older(id));
		});
	}

	// -- driving

	/** Whatever happens to the follower, what it asks for is asked and what it shows is told. */
	private does(what: () => void): void {
		if (this.ended) return;
		what();
		this.go();
		this.listener.changed();
	}

	private go(): void {
		this.cancelTimer();
		for (const request of this.follower.requests(this.clock.now())) void this.ask(request);
		const at = this.follower.wakeAt();
		if (at !== null) this.cancelTimer = this.clock.after(at - this.clock.now(), () => this.go());
		if (!this.follower.settled) return;
		for (const resolve of this.starting.splice(0)) resolve();
	}

	private async ask(request: Request): Promise<void> {
		const backoff = this.backoffOf(request);
		try {
			const answer = await this.fetch(request);
			this.does(() => this.follower.answer(request, answer, this.clock.now()));
			backoff.reset();
		} catch (error) {
			this.askFailed(request, asFailure(error), backoff);
		}
		this.tellReaders();
	}

	private askFailed(request: Request, failure: Failure, backoff: Backoff): void {
		const gone = failure.status === 404;
		const why = failure.retryable ? { waitMs: Math.max(failure.retryAfterMs, backoff.next()) } : { gone };
		let told = false;
		this.does(() => (told = this.follower.failed(request, this.clock.now(), why)));
		if (request.kind === "page" && !gone) this.tellReaders(request.conversationId, failure);
		if (told) this.listener.refused(failure);
	}

	private fetch(request: Request): Promise<Answer> {
		const { source } = this;
		switch (request.kind) {
			case "sync":
				return source.sync(request.body);
			case "list":
				return source.conversations(request.cursor);
			case "changes":
				return source.changes(request.conversationId, request.afterRev);
			case "page":
				return source.messages(request.conversationId, request.beforeSeq);
			case "snapshot":
				return Promise.all([source.conversation(request.conversationId), source.messages(request.conversationId, null)]).then(
					([conversation, page]) => ({ conversation, page }),
				);
		}
	}

	private backoffOf(request: Request): Backoff {
		const key = request.mark.stream ?? this;
		const backoff = this.backoffs.get(key) ?? new Backoff();
		this.backoffs.set(key, backoff);
		return backoff;
	}

	/** Those whose page has come, or will not because the conversation is gone; with a failure, those of that conversation. */
	private tellReaders(failedId?: string, failure?: Failure): void {
		for (const [id, readers] of this.readers) {
			if (id === failedId && failure) for (const reader of readers) reader.reject(failure);
			else if (this.ended || !this.streams.get(id)?.wantsPage) for (const reader of readers) reader.resolve();
			else continue;
			this.readers.delete(id);
		}
	}
}
