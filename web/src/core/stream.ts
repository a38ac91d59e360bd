// One stream of changes as PROTOCOL.md's "What a client does" defines it: rules 1 and 2, no requests and no clock.
//
// `known` is the revision up to which all changes are applied, `seen` the highest one heard of. A conversation's stream
// also holds its rows and says which of its messages form an unbroken run up to the newest.

import type { Conversation, Member, MessagePage, Reaction, StoredMessage } from "./types";

export class Stream {
	/** null: nothing is held, the stream starts by a snapshot. */
	known: number | null = null;
	seen = 0;
	/** Where it started: changes up to here were not heard one by one, so a page read before it may be out of date. */
	base = 0;
	/** Rises with what makes the answers asked before worthless. */
	turn = 0;
	/** No pull before this time (a gap's pull_after_ms). */
	notBefore = 0;
	pulling = false;
	timed = false;
	/** The server has refused a pull for good: no other before something has changed. */
	halted = false;

	get behind(): boolean {
		return this.known === null || this.seen > this.known;
	}

	hear(rev: number): void {
		this.seen = Math.max(this.seen, rev);
	}

	/** An event: only the very next one moves `known`. */
	advance(rev: number): void {
		this.hear(rev);
		if (this.known !== null && rev === this.known + 1) this.known = rev;
	}

	/** A changes frame or a pull that covers (after, next]. */
	cover(after: number, next: number): void {
		this.hear(next);
		if (this.known !== null && after <= this.known) this.known = Math.max(this.known, next);
	}

	/** Where the stream starts, or starts again. */
	start(rev: number): void {
		this.hear(rev);
		this.base = Math.max(this.base, rev);
		this.known = Math.max(this.known ?? 0, rev);
	}
}

export class ConversationStream extends Stream {
	conversation: Conversation | null = null;
	readonly members = new Map<string, Member>();
	private readonly rows = new Map<number, StoredMessage>();
	newest: StoredMessage | null = null;
	/** Revision of one's own membership. */
	ownRev = 0;
	/** The lowest seq of the run that has been read; null: no page was read yet. */
	low: number | null = null;
	hasMoreBefore = true;
	/** The highest seq of a message of one's own: having read up to it goes without saying. */
	ownSeq = 0;
	/** How far one has read, on any device. */
	readSeq = 0;
	/** Ids of messages that were asked for one by one, because something quotes them. */
	readonly asked = new Set<string>();
	private run: StoredMessage[] | null = null;
	/** Reactions newer than the row they belong to, by seq: a change of a part, so the row keeps its own rev. */
	private readonly reactions = new Map<number, { rev: number; reactions: Reaction[] }>();

	constructor(
		readonly id: string,
		readonly userId: string,
	) {
		super();
	}

	get lastSeq(): number {
		return Math.max(this.newest?.seq ?? 0, this.conversation?.last_seq ?? 0);
	}

	applyMessage(row: StoredMessage): void {
		const old = this.rows.get(row.seq);
		if (old && row.rev <= old.rev) return;
		const newer = this.reactions.get(row.seq);
		if (newer && newer.rev <= row.rev) this.reactions.delete(row.seq);
		this.hold(newer && newer.rev > row.rev && !row.deleted ? { ...row, reactions: newer.reactions } : row);
		if (row.sender_id === this.userId) this.ownSeq = Math.max(this.ownSeq, row.seq);
	}

	/** The reactions of one message, held here or not. */
	applyReactions(seq: number, rev: number, reactions: Reaction[]): void {
		const row = this.rows.get(seq);
		if (rev <= Math.max(row?.rev ?? 0, this.reactions.get(seq)?.rev ?? 0)) return;
		this.reactions.set(seq, { rev, reactions });
		if (row && !row.deleted) this.hold({ ...row, reactions });
	}

	private hold(row: StoredMessage): void {
		this.rows.set(row.seq, row);
		this.run = null;
		if (row.seq >= (this.newest?.seq ?? 0)) this.newest = row;
	}

	/** A read cursor only grows. False: it was as far. */
	applyRead(seq: number): boolean {
		if (seq <= this.readSeq) return false;
		this.readSeq = seq;
		return true;
	}

	/** A message that is held, in the run or not. */
	find(id: string): StoredMessage | undefined {
		for (const row of this.rows.values()) if (row.id === id) return row;
		return undefined;
	}

	/** False: the row says that one is no longer in the conversation. */
	applyMember(row: Member): boolean {
		const old = this.members.get(row.user_id);
		if (!old || row.rev > old.rev) this.members.set(row.user_id, row);
		return row.user_id !== this.userId || this.applyOwn(row.rev, !row.left_at);
	}

	/** The newest word on one's own membership, from this stream or the person's; false: it ended. */
	applyOwn(rev: number, member: boolean): boolean {
		if (rev > this.ownRev) {
			this.ownRev = rev;
			this.turn++;
			this.halted = false;
			return member;
		}
		return true;
	}

	/** The conversation as its reader sees it: a list item, a GET, a snapshot. False: one is no longer in it. */
	applyConversation(item: Conversation): boolean {
		if (!this.conversation || item.last_rev >= this.conversation.last_rev) this.conversation = item;
		this.applyRead(item.read_seq);
		if (item.last_message) this.applyMessage(item.last_message);
		return item.members.map((row) => this.applyMember(row)).every(Boolean);
	}

	/** The row alone, as a pull gives it: without what depends on the reader. */
	applyState(row: Conversation): void {
		if (this.conversation) this.conversation = { ...this.conversation, title: row.title };
	}

	/** The newest page becomes the run. Rows a snapshot has overtaken are forgotten: they may have changed unheard. */
	startRun(items: StoredMessage[], hasMoreBefore: boolean, rev: number): void {
		if (this.known !== null) for (const [seq, row] of this.rows) if (row.rev <= rev) this.rows.delete(seq);
		for (const [seq, part] of this.reactions) if (part.rev <= rev) this.reactions.delete(seq);
		this.asked.clear();
		this.run = null;
		for (const row of items) this.applyMessage(row);
		this.low = items[0]?.seq ?? 1;
		this.hasMoreBefore = hasMoreBefore;
	}

	/** A page that ends right below the run (or the newest one, when there was none). */
	extendRun(page: MessagePage): void {
		for (const row of page.items) this.applyMessage(row);
		this.low = page.items[0]?.seq ?? this.low ?? 1;
		this.hasMoreBefore = page.has_more_before;
		this.run = null;
		this.hear(page.last_rev);
	}

	/** What can be shown: ascending, nothing missing between the first and what `known` covers. */
	messages(): StoredMessage[] {
		return (this.run ??= this.makeRun());
	}

	private makeRun(): StoredMessage[] {
		if (this.low === null) {
			const run: StoredMessage[] = [];
			for (let row = this.newest; row; row = this.rows.get(row.seq - 1) ?? null) run.unshift(row);
			return run[0]?.seq === 1 ? run : []; // else its page is on the way
		}
		const low = this.low;
		return [...this.rows.values()].filter((row) => row.seq >= low).sort((a, b) => a.seq - b.seq);
	}

	/** Messages of others above the read cursor: derived, so it cannot drift. */
	unread(): number {
		const item = this.conversation;
		const cursor = Math.max(this.readSeq, this.ownSeq);
		let count = item?.unread_count ?? 0;
		for (const row of this.rows.values()) {
			if (row.seq > (item?.last_seq ?? 0) && row.sender_id !== this.userId) count++;
		}
		return Math.max(0, Math.min(count, this.lastSeq - cursor));
	}
}

/** Newest activity first. */
export function byActivity(a: ConversationStream, b: ConversationStream): number {
	return activityOf(b).localeCompare(activityOf(a));
}

function activityOf(stream: ConversationStream): string {
	return stream.newest?.timestamp ?? stream.conversation?.created_at ?? "";
}
