// What one device holds of the conversations of one person, kept true to the server: PROTOCOL.md's "What a client does",
// rules 0 to 4. Frames come in by `frame`, requests go out by `Source`; it knows neither the page nor the network.
//
// The base is read once (`start`): the person's stream by POST /sync, then the list of conversations, whose items are the
// start of their streams. `known()` is what the socket says when it authenticates; from then on frames, gaps and pulls.

import { Backoff, type Clock, Waits } from "./clock";
import type { Listener, Source } from "./ports";
import { byActivity, ConversationStream, Stream } from "./stream";
import { asFailure, type Conversation, type Failure, type Frame, type Membership, type Page } from "./types";
import type { Rejection, StoredMessage, SyncAnswer, SyncRequest } from "./types";

/** What an answer must be measured against: see rule 3. */
export interface Mark {
	drops: number;
	stream: ConversationStream | undefined;
	turn: number;
}

const PULL_AFTER_MS = 100;
const SNAPSHOT_BEHIND = 2000; // revisions; further behind, a snapshot costs less than the changes
const KNOWN_MAX = 500; // entries in auth and sync: the server takes no more

export class Replica {
	epoch: string | undefined;
	readonly streams = new Map<string, ConversationStream>();
	/** The list was read once: an empty one is empty. */
	listed = false;
	private me = new Stream();
	private drops = 0;
	private starting = false;
	private baseRefused = false;
	private ended = false;
	private saidNothing = false;
	private syncAgain = false;
	private readonly waits: Waits;

	constructor(
		readonly userId: string,
		private readonly source: Source,
		private readonly clock: Clock,
		private readonly listener: Listener,
	) {
		this.waits = new Waits(clock);
	}

	/** Nothing is asked or told from here on. */
	end(): void {
		this.ended = true;
		this.waits.end();
	}

	/** What failed is tried at once, and what was refused once more: the network is back, or the person asks. */
	wake(): void {
		if (this.ended) return;
		this.waits.wake();
		for (const stream of [this.me, ...this.streams.values()]) stream.halted = false;
		if (this.baseRefused) void this.start();
		else this.settleAll();
	}

	/** What `auth` says of the state held here; without a base nothing, and the list is read again after hello. */
	known(): { epoch?: string; me?: number; known?: Record<string, number>; known_count?: number } {
		this.saidNothing = this.epoch === undefined || this.me.known === null;
		if (this.epoch === undefined || this.me.known === null) return {};
		const held = [...this.streams.values()].filter((stream) => stream.known !== null);
		return { epoch: this.epoch, me: this.me.known, known: this.knownOf(held), known_count: held.length };
	}

	private knownOf(held: ConversationStream[]): Record<string, number> {
		const newest = held.length > KNOWN_MAX ? held.sort(byActivity).slice(0, KNOWN_MAX) : held;
		return Object.fromEntries(newest.map((stream) => [stream.id, stream.known ?? 0]));
	}

	// -- the base

	/** Reads the base, however long it takes; without one only when the server refuses. */
	async start(): Promise<void> {
		if (this.starting) return;
		this.starting = true;
		this.baseRefused = false;
		try {
			await this.readBase();
		} catch (error) {
			this.baseRefused = true;
			this.refuse(this.me, asFailure(error));
		}
		this.starting = false;
		this.settleAll();
		this.listener.changed();
	}

	private async readBase(): Promise<void> {
		for (let done = false; !done && !this.ended; ) {
			const me = this.me;
			try {
				if (me.known === null) await this.syncMe();
				done = (await this.list()) && this.me === me;
			} catch (error) {
				if (this.me === me) throw error; // else it was asked of another history
			}
		}
	}

	/** False: a drop or a reset came between, the list must be read again. */
	private async list(): Promise<boolean> {
		const drops = this.drops;
		let cursor: string | null = null;
		do {
			const page: Page<Conversation> | null = await this.waits.insist(() => this.source.conversations(cursor));
			if (!page || drops !== this.drops) return false;
			for (const item of page.items) this.applyItem(item);
			cursor = page.next_cursor;
			this.listed = true;
			this.listener.changed();
		} while (cursor);
		return true;
	}

	private applyItem(item: Conversation): void {
		const stream = this.stream(item.id);
		if (!this.applyConversation(stream, item)) return;
		if (stream.known === null) stream.start(item.last_rev);
		stream.hear(item.last_rev);
	}

	/** Rule 4: the rows and revisions are another history's. */
	private reset(epoch: string | undefined): void {
		this.epoch = epoch;
		this.me = new Stream();
		this.streams.clear();
		this.drops++;
		this.listener.changed();
		void this.start();
	}

	// -- frames

	frame(frame: Frame): void {
		if (this.ended) return;
		const stream = frame.conversation_id === undefined ? null : frame.conversation_id;
		switch (frame.type) {
			case "hello":
				return this.onHello(frame);
			case "gap":
				return stream ? this.onGap(stream, frame) : this.onMyGap(frame);
			case "changes":
				return stream ? this.onChanges(this.stream(stream), frame) : this.onMyChanges(frame);
			case "conversation.created":
				return this.onConversationCreated(frame);
			case "conversation.removed":
				return this.onConversationRemoved(frame);
			case "read.updated":
				if (stream && frame.user_id === this.userId) this.read(stream, frame.seq ?? 0);
				return this.onMe(frame);
			case "message.rejected":
				if (frame.message_id) this.listener.rejected(frame as Frame & Rejection);
				return this.onMe(frame);
			default:
				if (stream && frame.rev !== undefined) this.onEvent(this.stream(stream), frame.rev, frame);
				else this.onMe(frame);
		}
	}

	private onHello(frame: Frame): void {
		this.wake();
		if (this.epoch !== undefined && frame.epoch !== this.epoch) return this.reset(frame.epoch);
		this.me.hear(frame.me ?? 0);
		if (this.saidNothing) {
			this.drops++; // a list that is being read may be older than the socket
			void this.start();
		} else if (frame.sync_required) {
			this.syncAgain = true;
			void this.pullMe();
		}
		this.settleAll();
	}

	private onGap(id: string, frame: Frame): void {
		if (frame.reset) this.drop(id);
		const stream = this.stream(id);
		stream.hear(frame.last_rev ?? 0);
		stream.notBefore = this.clock.now() + (frame.pull_after_ms ?? 0);
		this.clock.after(frame.pull_after_ms ?? 0, () => {
			if (this.streams.get(id) === stream) void this.pull(stream);
		});
	}

	private onMyGap(frame: Frame): void {
		if (frame.reset) return this.reset(this.epoch);
		const me = this.me;
		me.hear(frame.last_rev ?? 0);
		me.notBefore = this.clock.now() + (frame.pull_after_ms ?? 0);
		this.clock.after(frame.pull_after_ms ?? 0, () => {
			if (this.me === me) void this.pullMe();
		});
	}

	private onEvent(stream: ConversationStream, rev: number, frame: Frame): void {
		const members = frame.members ?? (frame.member ? [frame.member] : []);
		if (frame.type === "conversation.deleted") return this.drop(stream.id);
		if (frame.type === "reaction.updated" && frame.seq !== undefined && frame.reactions) return this.onReactions(stream, rev, frame);
		// What carries no row we know is only heard of; the pull that follows brings the state.
		if (!frame.message && !members.length) stream.hear(rev);
		else if (this.applyRows(stream, members, frame.message ? [frame.message] : [])) stream.advance(rev);
		this.settle(stream);
	}

	private onReactions(stream: ConversationStream, rev: number, frame: Frame): void {
		stream.applyReactions(frame.seq ?? 0, rev, frame.reactions ?? []);
		stream.advance(rev);
		this.listener.changed();
		this.settle(stream);
	}

	private onChanges(stream: ConversationStream, frame: Frame): void {
		const members = frame.members ?? [];
		const messages = frame.messages ?? [];
		const next = frame.next_after_rev ?? frame.last_rev ?? 0;
		if (!this.applyRows(stream, members, [])) return;
		if (frame.snapshot && frame.conversation && !this.applyConversation(stream, frame.conversation)) return;
		if (frame.snapshot && stream.known === null && stream.conversation) {
			stream.startRun(messages, (messages[0]?.seq ?? 1) > 1, frame.last_rev ?? next);
			for (const row of messages) this.listener.stored(row);
			stream.start(frame.last_rev ?? next);
		} else {
			if (!this.applyRows(stream, [], messages)) return;
			if (!frame.snapshot && frame.conversation) stream.applyState(frame.conversation);
			if (!frame.snapshot) stream.cover(frame.after_rev ?? Infinity, next);
		}
		stream.hear(frame.last_rev ?? next);
		this.settle(stream);
	}

	private onConversationCreated(frame: Frame): void {
		const item = frame.conversation;
		if (item) {
			const stream = this.stream(item.id);
			stream.hear(item.members.find((row) => row.user_id === this.userId)?.rev ?? 0);
			this.applyConversation(stream, item);
			this.settle(stream);
		}
		this.onMe(frame);
	}

	private onConversationRemoved(frame: Frame): void {
		const stream = this.streams.get(frame.conversation_id ?? "");
		if (stream && stream.ownRev <= (frame.rev ?? Infinity)) this.drop(stream.id);
		this.onMe(frame);
	}

	private onMe(frame: Frame): void {
		if (frame.me === undefined) return;
		this.me.advance(frame.me);
		this.settleMe();
	}

	private onMyChanges(frame: Frame): void {
		for (const row of frame.memberships ?? []) this.applyMembership(row);
		for (const row of frame.rejections ?? []) this.listener.rejected(row);
		this.me.cover(frame.after_rev ?? Infinity, frame.next_after_rev ?? 0);
		this.me.hear(frame.last_rev ?? 0);
		this.settleMe();
	}

	/** The row of a message one has sent, changed or asked for. A reply never moves `known`. */
	reply(message: StoredMessage, mark: Mark): void {
		if (!this.current(mark)) return;
		const stream = this.stream(message.conversation_id);
		if (!this.applyRows(stream, [], [message])) return;
		stream.hear(message.rev);
		this.settle(stream);
	}

	/** How far one has read, here or on another device. */
	read(id: string, seq: number): void {
		if (this.streams.get(id)?.applyRead(seq)) this.listener.changed();
	}

	/** The answer to one's own mark: a row of the person's stream, which moves `known` no more than a reply does. */
	markedRead(id: string, seq: number, me: number): void {
		this.read(id, seq);
		this.me.hear(me);
		this.settleMe();
	}

	mark(conversationId: string | undefined): Mark {
		const stream = conversationId === undefined ? undefined : this.streams.get(conversationId);
		return { drops: this.drops, stream, turn: stream?.turn ?? 0 };
	}

	/** Rule 3, last sentence: nothing that was asked before a drop, a reset or a newer own membership counts. */
	private current(mark: Mark): boolean {
		return !this.ended && mark.drops === this.drops && (!mark.stream || mark.turn === mark.stream.turn);
	}

	// -- rows

	private stream(id: string): ConversationStream {
		let stream = this.streams.get(id);
		if (!stream) this.streams.set(id, (stream = new ConversationStream(id, this.userId)));
		return stream;
	}

	private drop(id: string): void {
		if (!this.streams.delete(id)) return;
		this.drops++;
		this.listener.changed();
	}

	/** Rule 1. False: one's own row said goodbye, and the conversation was dropped. */
	private applyRows(stream: ConversationStream, members: Conversation["members"], messages: StoredMessage[]): boolean {
		if (!members.map((row) => stream.applyMember(row)).every(Boolean)) {
			this.drop(stream.id);
			return false;
		}
		for (const row of messages) {
			stream.applyMessage(row);
			this.listener.stored(row);
		}
		this.listener.changed();
		return true;
	}

	private applyConversation(stream: ConversationStream, item: Conversation): boolean {
		const member = stream.applyConversation(item);
		if (!member) this.drop(stream.id);
		if (item.last_message) this.listener.stored(item.last_message);
		this.listener.changed();
		return member;
	}

	private applyMembership(row: Membership): void {
		const held = this.streams.get(row.conversation_id);
		if (held && row.rev < held.ownRev) return;
		if (!row.member) return held && row.rev > held.ownRev ? this.drop(held.id) : undefined;
		const stream = this.stream(row.conversation_id);
		if (stream.known === null) stream.hear(row.rev);
		stream.applyOwn(row.rev, true);
		this.read(stream.id, row.read_seq ?? 0);
		this.settle(stream);
	}

	// -- pulling

	/** Rule 3: behind for 100 ms without any progress, and no gap's time to wait for. */
	private settle(stream: ConversationStream): void {
		this.watch(stream, () => this.streams.get(stream.id) === stream, () => void this.pull(stream));
	}

	private settleAll(): void {
		for (const stream of this.streams.values()) this.settle(stream);
		this.settleMe();
	}

	private settleMe(): void {
		const me = this.me;
		this.watch(me, () => this.me === me, () => void this.pullMe());
	}

	private watch(stream: Stream, held: () => boolean, pull: () => void): void {
		if (!stream.behind || stream.timed || stream.pulling || stream.halted || this.starting) return;
		stream.timed = true;
		const known = stream.known;
		this.clock.after(Math.max(PULL_AFTER_MS, stream.notBefore - this.clock.now()), () => {
			stream.timed = false;
			if (this.ended || !held()) return;
			if (stream.known !== known || this.clock.now() < stream.notBefore) this.watch(stream, held, pull);
			else if (stream.behind) pull();
		});
	}

	private async pull(stream: ConversationStream): Promise<void> {
		if (stream.pulling || stream.halted || this.starting) return;
		stream.pulling = true;
		const backoff = new Backoff();
		while (!this.ended && this.streams.get(stream.id) === stream && stream.behind && !stream.halted) {
			const early = stream.notBefore - this.clock.now();
			if (early > 0) await this.waits.rest(early);
			const mark = this.mark(stream.id);
			const before = stream.known;
			const waitMs = await this.pullOnce(stream, mark).then(() => 0, (error) => this.pullFailed(stream, asFailure(error), mark));
			if (!this.current(mark) || stream.halted) continue;
			if (stream.known !== before) backoff.reset();
			else await this.waits.rest(Math.max(waitMs, backoff.next()));
		}
		stream.pulling = false;
		if (this.streams.get(stream.id) === stream) this.settle(stream);
	}

	/** How long the server asks to wait. A 404 drops the conversation; what is refused otherwise is not asked again. */
	private pullFailed(stream: ConversationStream, failure: Failure, mark: Mark): number {
		if (failure.retryable || !this.current(mark)) return failure.retryAfterMs;
		if (failure.status === 404) this.drop(stream.id);
		else this.refuse(stream, failure);
		return 0;
	}

	private refuse(stream: Stream, failure: Failure): void {
		stream.halted = true;
		if (!this.ended) this.listener.refused(failure);
	}

	private async pullOnce(stream: ConversationStream, mark: Mark): Promise<void> {
		const { known, seen } = stream;
		if (known === null || seen - known > SNAPSHOT_BEHIND) return this.snapshot(stream, mark);
		const changes = await this.source.changes(stream.id, known);
		if (!this.current(mark) || !this.applyRows(stream, changes.members, changes.messages)) return;
		if (changes.conversation) stream.applyState(changes.conversation);
		stream.cover(known, changes.next_after_rev);
		stream.hear(changes.last_rev);
	}

	/** Rule 0: the conversation and its newest page; the smaller head of the two is what both cover. */
	private async snapshot(stream: ConversationStream, mark: Mark): Promise<void> {
		const [item, page] = await Promise.all([this.source.conversation(stream.id), this.source.messages(stream.id, null)]);
		if (!this.current(mark) || !this.applyConversation(stream, item)) return;
		stream.startRun(page.items, page.has_more_before, page.last_rev);
		for (const row of page.items) this.listener.stored(row);
		stream.start(Math.min(item.last_rev, page.last_rev));
		stream.hear(page.last_rev);
		this.listener.changed();
	}

	/** Reads the page above what is shown (the newest at first). Throws when it can't be had. */
	async older(id: string): Promise<void> {
		for (let stream = this.streams.get(id); stream && !this.ended; stream = this.streams.get(id)) {
			if (stream.known === null) return; // its snapshot brings the newest page
			const mark = this.mark(id);
			const low = stream.low;
			const page = await this.source.messages(id, low);
			if (!this.current(mark) || page.last_rev < stream.base) continue;
			if (stream.low === low) stream.extendRun(page);
			for (const row of page.items) this.listener.stored(row);
			this.settle(stream);
			return this.listener.changed();
		}
	}

	private async pullMe(): Promise<void> {
		const me = this.me;
		if (me.halted) return;
		await this.syncMe().catch((error) => this.me === me && this.refuse(me, asFailure(error)));
		if (this.me === me) this.settleMe();
	}

	/** The person's stream is pulled by POST /sync, to its last page. Throws when that is refused. */
	private async syncMe(): Promise<void> {
		const me = this.me;
		if (me.pulling) return;
		me.pulling = true;
		const backoff = new Backoff();
		try {
			do {
				const before = me.known;
				this.syncAgain = false;
				await this.syncOnce(me);
				if (me.known === before && me.behind) await this.waits.rest(backoff.next());
			} while (!this.ended && this.me === me && (me.behind || this.syncAgain));
		} finally {
			me.pulling = false;
		}
	}

	private async syncOnce(me: Stream): Promise<void> {
		const after = me.known;
		const asked = new Map([...this.streams.values()].map((stream) => [stream.id, this.mark(stream.id)]));
		const known = this.knownOf([...this.streams.values()].filter((stream) => stream.known !== null));
		const base: SyncRequest = after === null ? {} : { epoch: this.epoch ?? "", me: after, known };
		let head: number | null = null;
		let cursor: string | null = null;
		do {
			const request: SyncRequest = cursor === null ? base : { ...base, cursor };
			const answer: SyncAnswer | null = await this.waits.insist(() => this.source.sync(request));
			if (!answer || this.me !== me) return;
			if (this.epoch !== undefined && answer.epoch !== this.epoch) return this.reset(answer.epoch);
			this.epoch = answer.epoch;
			this.applySync(answer, asked);
			head ??= answer.me.rev;
			cursor = answer.next_cursor;
		} while (cursor);
		if (after === null) me.start(head);
		else me.cover(after, head);
		me.hear(head);
	}

	private applySync(answer: SyncAnswer, asked: Map<string, Mark>): void {
		for (const row of answer.me.memberships) this.applyMembership(row);
		for (const row of answer.me.rejections ?? []) this.listener.rejected(row);
		for (const id of answer.removed) {
			const mark = asked.get(id);
			if (mark?.stream && this.streams.get(id) === mark.stream && mark.turn === mark.stream.turn) this.drop(id);
		}
		for (const head of answer.conversations) {
			const stream = this.stream(head.conversation_id);
			stream.hear(head.last_rev);
			this.settle(stream);
		}
	}
}
