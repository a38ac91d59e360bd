// The client algorithm of push/PROTOCOL.md, "What a client does", rules 0 to 4: one device of one person, without network,
// page and clock. Whoever drives it (replica.ts) hands it what comes in and asks what `requests` says, each request once:
//
//	sync      POST /sync with `body` (all pages: each is a request of its own)
//	list      GET /conversations?cursor=
//	changes   GET /conversations/{conversationId}/changes?after_rev=
//	snapshot  GET /conversations/{conversationId} and its newest page of messages
//	page      GET /conversations/{conversationId}/messages?before_seq= (after `older`; null: the newest)
//
// The rules, by where they are: 0 takeSnapshot, takePage · 1 ConversationStream.apply… (stream.ts) and membership
// · 2 Stream.advance, cover, start · 3 Stream.settle, current · 4 reset, onHello. tests/support/follower.py is the same
// in Python; both pass tests/cases/client.

import { Listing } from "./listing";
import type { Listener } from "./ports";
import { type Answer, type AskedOfOne, type Mark, markOf, type Request, type Snapshot } from "./requests";
import { byActivity, ConversationStream, Stream } from "./stream";
import type { Changes, Conversation, Frame, Member, Membership, MessagePage, Page, Rejection, StoredMessage, SyncAnswer, SyncRequest } from "./types";

const SNAPSHOT_BEHIND = 2000; // revisions; further behind, the stream starts anew
const KNOWN_MAX = 500; // entries in auth and sync: the server takes no more

export class Follower {
	epoch: string | undefined;
	me = new Stream();
	readonly conversations = new Map<string, ConversationStream>();
	/** The first page of the list was read: an empty one is empty. */
	listed = false;
	private now = 0;
	private drops = 0;
	private saidNothing = true;
	/** Of a sync that has begun. */
	private nextPage: Request | null = null;
	private readonly listing = new Listing();

	/** `lists`: with many conversations their list is a cheaper start than a snapshot of each. */
	constructor(
		readonly userId: string,
		private readonly lists = false,
		private readonly hooks: Pick<Listener, "stored" | "rejected"> = { stored() {}, rejected() {} },
		private readonly snapshotBehind = SNAPSHOT_BEHIND,
	) {}

	/** Asks for the base now, whether or not there is a socket. */
	start(now: number): void {
		this.me.due = this.now = Math.max(this.now, now);
	}

	/** There is nothing more to ask for the base, or the server has refused it. */
	get settled(): boolean {
		return this.me.halted || (this.me.known !== null && !this.listing.coming);
	}

	// -- what goes out

	/** What an auth frame has besides the token. Without a base nothing, and the base is read after hello. */
	auth(): { epoch?: string; me?: number; known?: Record<string, number>; known_count?: number } {
		this.saidNothing = this.epoch === undefined || this.me.known === null;
		if (this.epoch === undefined || this.me.known === null) return {};
		return { epoch: this.epoch, me: this.me.known, known: this.known(), known_count: this.held().length };
	}

	private held(): ConversationStream[] {
		return [...this.conversations.values()].filter((one) => one.known !== null);
	}

	private known(): Record<string, number> {
		const held = this.held();
		const newest = held.length > KNOWN_MAX ? held.sort(byActivity).slice(0, KNOWN_MAX) : held;
		return Object.fromEntries(newest.map((one) => [one.id, one.known ?? 0]));
	}

	/** What to ask now: at most one request of each stream at a time, none before its time. */
	requests(now: number): Request[] {
		this.now = Math.max(this.now, now);
		const requests: Request[] = [];
		if (this.nextPage) {
			requests.push(this.nextPage);
			this.nextPage = null;
		} else if ((this.me.dueAt() ?? Infinity) <= this.now) {
			requests.push(this.askSync());
		}
		if (this.me.known !== null && (this.listing.dueAt ?? Infinity) <= this.now) {
			this.listing.asked();
			requests.push({ kind: "list", mark: this.mark(undefined), cursor: this.listing.cursor });
		}
		if (this.listing.coming) return requests;
		for (const one of this.conversations.values()) {
			if ((one.dueAt() ?? Infinity) <= this.now) requests.push(this.askPull(one));
			if (!one.mayRead) continue;
			one.reading = true;
			requests.push({ kind: "page", ...this.of(one), beforeSeq: one.low });
		}
		return requests;
	}

	/** The time at which `requests` is worth a call, if nothing comes in before; null: none. */
	wakeAt(): number | null {
		if (this.nextPage) return this.now;
		const held = this.listing.coming ? [] : [...this.conversations.values()];
		const list = this.me.known === null ? null : this.listing.dueAt;
		const dues = [list, ...[this.me, ...held].map((one) => one.dueAt())];
		const times = dues.filter((due) => due !== null);
		if (held.some((one) => one.mayRead)) times.push(this.now);
		return times.length ? Math.min(...times) : null;
	}

	private askPull(one: ConversationStream): Request {
		one.begin();
		const of = { ...this.of(one), heard: one.seen };
		if (one.known === null || one.seen - one.known > this.snapshotBehind) return { kind: "snapshot", ...of };
		return { kind: "changes", ...of, afterRev: one.known };
	}

	private askSync(): Request {
		const me = this.me;
		me.begin();
		const body: SyncRequest = me.known === null ? {} : { epoch: this.epoch ?? "", me: me.known, known: this.known() };
		const held = new Map([...this.conversations.keys()].map((id) => [id, this.mark(id)]));
		return { kind: "sync", mark: markOf(this.drops, me), body, heard: me.seen, held };
	}

	/** Asks for the page above what is held; nothing when there is none. */
	older(id: string): void {
		const one = this.conversations.get(id);
		if (one?.hasMoreBefore) one.wantsPage = true;
	}

	/** What failed or was refused is asked again. */
	wake(now: number): void {
		this.now = Math.max(this.now, now);
		for (const stream of [this.me, ...this.conversations.values()]) {
			if ((stream.failed || stream.halted) && !stream.asking) stream.askAt(this.now);
			stream.halted = false;
			stream.settle(this.now);
		}
		this.listing.wake(this.now);
	}

	// -- answers

	mark(id: string | undefined): Mark {
		return markOf(this.drops, (id !== undefined && this.conversations.get(id)) || null);
	}

	private of(one: ConversationStream): AskedOfOne {
		return { mark: markOf(this.drops, one), conversationId: one.id };
	}

	/** Rule 3, last sentence: nothing that was asked before a drop, a reset or a newer own membership counts. */
	private current(mark: Mark): boolean {
		const { stream } = mark;
		if (!stream) return mark.drops === this.drops;
		const held = stream instanceof ConversationStream ? this.conversations.get(stream.id) : this.me;
		return held === stream && held.turn === mark.turn;
	}

	/** `answer` is the JSON of a 200 to this request. */
	answer(request: Request, answer: Answer, now: number): void {
		this.now = Math.max(this.now, now);
		switch (request.kind) {
			case "list":
				return this.takeList(request.mark, answer as Page<Conversation>);
			case "sync":
				if (request.mark.stream === this.me) this.me.asking = false;
				if (this.current(request.mark)) return this.takeSync(request, answer as SyncAnswer);
				return request.mark.stream === this.me ? this.me.askAt(this.now) : undefined;
			case "page":
				request.mark.stream.reading = false; // unless it is current, it is still wanted
				return this.current(request.mark) ? this.takePage(request.mark.stream, request.beforeSeq, answer as MessagePage) : undefined;
			default:
				return this.takePull(request, answer as Changes | Snapshot);
		}
	}

	private takePull(request: Request & { kind: "changes" | "snapshot" }, answer: Changes | Snapshot): void {
		const one = request.mark.stream;
		one.asking = false;
		if (!this.current(request.mark)) return one.askAt(this.now);
		const before = one.known;
		const head = "page" in answer ? answer.page.last_rev : answer.last_rev;
		if (head < request.heard) return this.startAgain(one);
		if ("page" in answer) this.takeSnapshot(one, answer);
		else if (request.kind === "changes") {
			this.takeChanges(one, request.afterRev, answer);
			one.owed = answer.has_more ? answer.last_rev : 0;
		}
		one.pulled(this.now, before);
	}

	/** `waitMs`: when to try again; `gone`: a 404; neither: refused for good. True: refused, although it is still needed. */
	failed(request: Request, now: number, why: { waitMs?: number; gone?: boolean }): boolean {
		this.now = Math.max(this.now, now);
		if (request.kind === "list") return this.listFailed(request.mark, why.waitMs);
		if (request.kind === "sync") return this.pullFailed(this.me, request.mark, why.waitMs);
		const one = request.mark.stream;
		if (request.kind === "page") {
			one.reading = one.wantsPage = false;
		} else if (!why.gone || !this.current(request.mark)) {
			return this.pullFailed(one, request.mark, why.waitMs);
		}
		if (why.gone && this.current(request.mark)) this.drop(one);
		return false;
	}

	private listFailed(mark: Mark, waitMs?: number, current = this.current(mark)): boolean {
		this.listing.failed(this.now, current ? waitMs : 0);
		return current && waitMs === undefined;
	}

	private pullFailed(stream: Stream, mark: Mark, waitMs?: number): boolean {
		if (mark.stream !== stream) return false;
		stream.asking = false;
		if (!this.current(mark)) {
			stream.askAt(this.now);
		} else if (waitMs !== undefined) {
			stream.failed = true;
			stream.askAt(this.now + waitMs);
		} else {
			stream.halted = true;
		}
		return stream.halted;
	}

	private takeChanges(one: ConversationStream, after: number, changes: Omit<Changes, "has_more">): void {
		if (!this.rows(one, changes.members, changes.messages)) return;
		if (changes.conversation) one.applyTitle(changes.conversation.title, changes.last_rev);
		one.cover(after, changes.next_after_rev);
		one.hear(changes.last_rev);
	}

	/** Rule 0: known is the smaller head of the two answers. */
	private takeSnapshot(one: ConversationStream, { conversation: item, page }: Snapshot): void {
		const head = Math.min(item.last_rev, page.last_rev);
		if (head < one.base || !this.item(one, item)) return; // it has started later by other means, or has ended
		one.startMembers(item.members, item.last_rev);
		one.startRows(page.items, page.last_rev, page.has_more_before);
		for (const row of page.items) this.hooks.stored(row);
		one.start(head);
		one.hear(Math.max(item.last_rev, page.last_rev));
	}

	/** Rule 0: rows from before changes that no pull will bring are still wanted, and asked again. */
	private takePage(one: ConversationStream, beforeSeq: number | null, page: MessagePage): void {
		if (page.last_rev < one.base || beforeSeq !== one.low) return;
		if (one.low === null) one.startRows(page.items, page.last_rev, page.has_more_before);
		else one.extendRows(page.items, page.has_more_before);
		for (const row of page.items) this.hooks.stored(row);
		one.wantsPage = false;
		one.hear(page.last_rev);
		one.settle(this.now);
	}

	private takeList(mark: Mark, page: Page<Conversation>): void {
		if (!this.current(mark)) return this.listing.want();
		for (const item of page.items) {
			const one = this.conversation(item.id);
			if (!this.item(one, item)) continue;
			if (one.known === null) {
				one.startMembers(item.members, item.last_rev);
				one.start(item.last_rev);
			}
			one.hear(item.last_rev);
			one.settle(this.now);
		}
		this.listed = true;
		this.listing.goOn(page.next_cursor);
	}

	private takeSync(request: Request & { kind: "sync" }, answer: SyncAnswer): void {
		const { me } = this;
		if ((this.epoch !== undefined && answer.epoch !== this.epoch) || answer.me.rev < request.heard) return this.reset(answer.epoch);
		this.epoch = answer.epoch;
		for (const row of answer.me.memberships) this.membership(row);
		for (const row of answer.me.rejections ?? []) this.hooks.rejected(row);
		for (const id of answer.removed) {
			const mark = request.held.get(id);
			const one = this.conversations.get(id);
			if (one && mark?.stream && this.current(mark)) this.drop(one);
		}
		for (const head of answer.conversations) {
			const one = this.conversation(head.conversation_id);
			one.hear(head.last_rev);
			one.settle(this.now);
		}
		if (answer.next_cursor !== null) {
			me.asking = true;
			this.nextPage = { ...request, body: { ...request.body, cursor: answer.next_cursor } };
			return;
		}
		const before = me.known;
		me.again = false;
		if (request.body.me !== undefined) {
			me.cover(request.body.me, answer.me.rev);
		} else {
			me.start(answer.me.rev);
			if (this.lists) this.listing.want();
		}
		me.hear(answer.me.rev);
		me.pulled(this.now, before);
	}

	/** The row that answers one's own send or change, or a message asked for; it moves `seen`, never `known`. */
	reply(message: StoredMessage, mark: Mark, now: number): void {
		this.now = Math.max(this.now, now);
		// Of another membership, or of before the stream started: it may have changed unheard.
		if (!this.current(mark) || (mark.stream && mark.stream.base !== mark.base)) return;
		const one = this.conversation(message.conversation_id);
		this.rows(one, [], [message]);
		one.hear(message.rev);
		one.settle(this.now);
	}

	/** The answer to one's own read mark: a row of the person's stream, which moves `known` no more than a reply. */
	markedRead(id: string, seq: number, me: number, now: number): void {
		this.now = Math.max(this.now, now);
		this.conversations.get(id)?.applyRead(seq);
		this.me.hear(me);
		this.me.settle(this.now);
	}

	// -- frames

	/** Hello, and every object that has no `reply_to`. Types and keys that are not known are ignored. */
	frame(frame: Frame, now: number): void {
		this.now = Math.max(this.now, now);
		const id = frame.conversation_id;
		if (frame.type === "hello") return this.onHello(frame);
		if (frame.type === "gap") return this.onGap(id, frame);
		if (frame.type === "changes") return id === undefined ? this.onMyChanges(frame) : this.onChanges(this.conversation(id), frame);
		if (frame.me !== undefined || frame.type === "conversation.removed") return this.onMine(id, frame);
		if (id !== undefined && frame.rev === undefined) this.conversations.get(id)?.receipts.pass(frame, this.now);
		else if (id !== undefined && frame.rev !== undefined) this.onEvent(this.conversation(id), frame.rev, frame);
	}

	private onHello(frame: Frame): void {
		if (this.epoch !== undefined && frame.epoch !== this.epoch) return this.reset(frame.epoch);
		this.epoch = frame.epoch;
		this.me.hear(frame.me ?? 0);
		if (this.saidNothing) {
			this.drops++; // what was asked before this hello may be older than the socket
			for (const one of this.conversations.values()) one.turn++;
		}
		if (this.saidNothing || frame.sync_required || this.me.known === null) {
			this.me.turn++;
			this.me.again = true;
			this.me.askAt(this.now);
		}
		this.wake(this.now);
	}

	private onGap(id: string | undefined, frame: Frame): void {
		if (frame.reset && id === undefined) return this.reset(this.epoch);
		const held = id === undefined ? undefined : this.conversations.get(id);
		if (frame.reset && held) this.drop(held);
		const stream = id === undefined ? this.me : this.conversation(id);
		stream.hear(frame.last_rev ?? 0);
		stream.notBefore = Math.max(stream.notBefore, this.now + (frame.pull_after_ms ?? 0));
		if (!stream.behind) return;
		stream.due = stream.notBefore;
		stream.gapped = true;
	}

	private onChanges(one: ConversationStream, frame: Frame): void {
		const { members = [], messages = [], conversation = null, after_rev: after = Infinity } = frame;
		const next = frame.next_after_rev ?? 0;
		const head = frame.last_rev ?? next;
		const before = one.known;
		if (!this.rows(one, members, [])) return;
		if (!frame.snapshot) {
			this.takeChanges(one, after, { members: [], messages, conversation, next_after_rev: next, last_rev: head });
		} else if (!conversation || !this.item(one, conversation)) {
			return;
		} else {
			if (one.known === null) {
				one.startMembers(conversation.members, head);
				one.startRows(messages, head, (messages[0]?.seq ?? 1) > 1);
				one.start(head);
			}
			// A stream that is held goes on from its own `known`: a page of the newest messages does not cover the rest.
			this.rows(one, [], messages);
		}
		one.hear(head);
		one.settle(this.now, one.known !== before);
	}

	private onMyChanges(frame: Frame): void {
		const before = this.me.known;
		for (const row of frame.memberships ?? []) this.membership(row);
		for (const row of frame.rejections ?? []) this.hooks.rejected(row);
		this.me.cover(frame.after_rev ?? Infinity, frame.next_after_rev ?? 0);
		this.me.hear(frame.last_rev ?? 0);
		this.me.settle(this.now, this.me.known !== before);
	}

	private onEvent(one: ConversationStream, rev: number, frame: Frame): void {
		const before = one.known;
		const members = frame.members ?? (frame.member ? [frame.member] : []);
		if (frame.type === "conversation.deleted") return this.drop(one);
		if (frame.type === "reaction.updated" && frame.seq !== undefined && frame.reactions) {
			one.applyReactions(frame.seq, rev, frame.reactions);
			one.advance(rev);
		} else if (frame.conversation) {
			one.applyTitle(frame.conversation.title, rev);
			one.advance(rev);
		} else if (!frame.message && !members.length) {
			one.hear(rev); // a change of a sort not known here: the pull brings what it changed
		} else if (this.rows(one, members, frame.message ? [frame.message] : [])) {
			one.advance(rev);
		} else return;
		one.settle(this.now, one.known !== before);
	}

	/** An event of the person's stream, or the hub's word that one is out of a conversation. */
	private onMine(id: string | undefined, frame: Frame): void {
		const held = id === undefined ? undefined : this.conversations.get(id);
		if (frame.type === "conversation.created" && frame.conversation) this.created(frame.conversation);
		else if (frame.type === "conversation.removed" && held && held.ownRev <= (frame.rev ?? Infinity)) this.drop(held);
		else if (frame.type === "read.updated") held?.applyRead(frame.seq ?? 0, frame.user_id);
		else if (frame.type === "conversation.settings") held?.applySettings(frame);
		else if (frame.type === "message.rejected") this.hooks.rejected(frame as Frame & Rejection);
		if (frame.me === undefined) return;
		const before = this.me.known;
		this.me.advance(frame.me);
		this.me.settle(this.now, this.me.known !== before);
	}

	private created(item: Conversation): void {
		const own = item.members.find((row) => row.user_id === this.userId)?.rev ?? 0;
		const one = this.conversation(item.id);
		if (own < one.ownRev) return;
		one.hear(own);
		if (this.item(one, item)) one.settle(this.now);
	}

	// -- rows

	private conversation(id: string): ConversationStream {
		const one = this.conversations.get(id) ?? new ConversationStream(id, this.userId);
		this.conversations.set(id, one);
		return one;
	}

	/** Members first. False: one's own row said that one has left, and the conversation was dropped. */
	private rows(one: ConversationStream, members: Member[], messages: StoredMessage[]): boolean {
		const stays = members.map((row) => one.applyMember(row)).every(Boolean);
		if (!stays) {
			this.drop(one);
			return false;
		}
		for (const row of messages) {
			one.applyMessage(row);
			this.hooks.stored(row);
		}
		return true;
	}

	private item(one: ConversationStream, item: Conversation): boolean {
		const stays = one.applyItem(item);
		if (!stays) this.drop(one);
		if (item.last_message) this.hooks.stored(item.last_message);
		return stays;
	}

	/** A row of the person's stream; one that is older than one's own member row is ignored. */
	private membership(row: Membership): void {
		const held = this.conversations.get(row.conversation_id);
		if (held && row.rev < held.ownRev) return;
		if (!row.member) return held && this.drop(held);
		const one = this.conversation(row.conversation_id);
		if (one.known === null) one.hear(row.rev);
		one.applyOwn(row.rev, true);
		one.applyRead(row.read_seq ?? 0);
		one.applySettings(row);
		one.settle(this.now);
	}

	private drop(one: ConversationStream): void {
		if (this.conversations.get(one.id) !== one) return;
		this.conversations.delete(one.id);
		this.drops++;
	}

	/** Rule 4 for one conversation. */
	private startAgain(one: ConversationStream): void {
		this.drop(one);
		this.conversation(one.id).due = Math.max(this.now, one.notBefore);
	}

	/** Rule 4: another history. Nothing of this one is kept; it starts by a sync without `me`. */
	private reset(epoch: string | undefined): void {
		this.epoch = epoch;
		this.me = new Stream();
		this.me.due = this.now;
		this.conversations.clear();
		this.drops++;
		this.nextPage = null;
		this.listing.stop();
	}
}
