// One stream of changes as PROTOCOL.md's "What a client does" defines it: rules 1 and 2, and by rule 3 when to pull it. It
// has no clock of its own and makes no requests.
//
// `known` is the revision up to which all changes are applied, `seen` the highest one heard of. A conversation's stream
// also holds its rows and says which of its messages form an unbroken run up to the newest. tests/support/streams.py is
// the same in Python.

import { Receipts } from "./receipts";
import type { Conversation, Member, Reaction, StoredMessage, User } from "./types";

const PULL_AFTER_MS = 100;
const RETRY_MAX_MS = 20_000;

export class Stream {
	/** null: nothing is held, the stream starts by a snapshot. */
	known: number | null = null;
	seen = 0;
	/** Where it started: changes up to here were not heard one by one, so a page read before it may be out of date. */
	base = 0;
	/** The head of a pull that is not at its end: what it showed as older may be on a later page. */
	owed = 0;
	/** Rises with what makes the answers asked before worthless. */
	turn = 0;
	/** No pull before this time: pull_after_ms of the gaps. */
	notBefore = 0;
	/** When to pull; see dueAt. */
	due: number | null = null;
	/** To be pulled even if nothing is known to be missing. */
	again = false;
	/** A gap set `due`: progress does not put it off. */
	gapped = false;
	asking = false;
	/** The last pull had no answer: `due` is the time of the next try. */
	failed = false;
	/** The server has refused a pull for good: no other before something has changed. */
	halted = false;
	/** Pulls in a row that brought nothing although something is missing. */
	fruitless = 0;

	get behind(): boolean {
		return this.known === null || this.seen > this.known;
	}

	hear(rev: number): void {
		this.seen = Math.max(this.seen, rev);
	}

	/** An event: only the very next one moves `known`, and none that a pull still owes the row of. */
	advance(rev: number): void {
		this.hear(rev);
		if (this.known !== null && rev === this.known + 1 && rev > this.owed) this.known = rev;
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
		this.owed = 0;
		this.known = Math.max(this.known ?? 0, rev);
	}

	/** When to pull; null: there is no reason to, or it is asked already. */
	dueAt(): number | null {
		return (this.behind || this.again) && !this.asking && !this.halted ? this.due : null;
	}

	begin(): void {
		this.asking = true;
		this.due = null;
		this.gapped = false;
		this.failed = false;
	}

	askAt(time: number): void {
		this.due = Math.max(time, this.notBefore);
	}

	/** Rule 3: behind, and no progress for 100 ms, and no gap's time to wait for. */
	settle(now: number, moved = false): void {
		if (this.behind) {
			if (this.due === null || (moved && !this.gapped)) this.askAt(now + PULL_AFTER_MS);
			return;
		}
		this.due = null;
		this.gapped = false;
		this.fruitless = 0;
		if (this.again) this.askAt(now);
	}

	/** Asks on while something is missing: at once after progress, else later and later. */
	pulled(now: number, before: number | null): void {
		if (!this.behind) return this.settle(now);
		this.fruitless = this.known === before ? this.fruitless + 1 : 0;
		const waitMs = this.fruitless ? Math.min(PULL_AFTER_MS * 2 ** (this.fruitless - 1), RETRY_MAX_MS) : 0;
		this.askAt(now + waitMs);
	}
}

export class ConversationStream extends Stream {
	/** As it was read last, but for the title. */
	conversation: Conversation | null = null;
	title: string | null = null;
	/** The head at which the title was read. */
	private titleRev = 0;
	readonly members = new Map<string, Member>();
	private readonly rows = new Map<number, StoredMessage>();
	newest: StoredMessage | null = null;
	/** Revision of the newest word on one's own membership. */
	ownRev = 0;
	/** The lowest seq of the run that has been read; null: no page was read yet. */
	low: number | null = null;
	hasMoreBefore = true;
	/** The page above `low` is to be read. */
	wantsPage = false;
	reading = false;
	/** The highest seq of a message of one's own: having read up to it goes without saying. */
	ownSeq = 0;
	/** How far one has read, on any device. */
	readSeq = 0;
	/** The person is not to be called to it until then. */
	mutedUntil: string | null = null;
	/** Revision of the person's stream that said so. */
	private mutedMe = 0;
	/** One's own; null: not heard of yet. */
	role: string | null = null;
	/** Likewise. */
	private roleMe = 0;
	readonly receipts = new Receipts();
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

	/** The page above `low` is to be asked for. */
	get mayRead(): boolean {
		return this.wantsPage && !this.reading && this.known !== null;
	}

	applyMessage(row: StoredMessage): void {
		const old = this.rows.get(row.seq);
		if (old && row.rev <= old.rev) return;
		const newer = this.reactions.get(row.seq);
		if (newer && newer.rev <= row.rev) this.reactions.delete(row.seq);
		if (row.sender_id !== this.userId) this.receipts.said(row.sender_id, row.seq, row.seq > (this.newest?.seq ?? 0));
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

	/** A read cursor only grows. */
	applyRead(seq: number, userId: string = this.userId): void {
		if (userId === this.userId) this.readSeq = Math.max(this.readSeq, seq);
		else this.receipts.hasRead(userId, seq);
	}

	/** A message that is held, in the run or not. */
	find(id: string): StoredMessage | undefined {
		for (const row of this.rows.values()) if (row.id === id) return row;
		return undefined;
	}

	/** The ids of those who are members now, as far as their rows are held. */
	present(): string[] {
		return [...this.members.values()].filter((row) => !row.left_at).map((row) => row.user_id);
	}

	/** False: it says that oneself has left. Who is not held and has a row of before the start has left, perhaps. */
	applyMember(row: Member, readAt = 0): boolean {
		const old = this.members.get(row.user_id);
		if (old ? row.rev > old.rev : Math.max(row.rev, readAt) > this.base) this.members.set(row.user_id, row);
		if (row.user_id !== this.userId) this.receipts.applyMember(row);
		return row.user_id !== this.userId || this.applyOwn(row.rev, !row.left_at);
	}

	/** The newest word on one's own membership, from this stream or the person's; false: it ended. */
	applyOwn(rev: number, member: boolean): boolean {
		if (rev <= this.ownRev) return true;
		this.ownRev = rev;
		this.turn++;
		this.halted = false;
		return member;
	}

	/** Somebody is shown by another name now. */
	applyPerson({ id, username, display_name }: User): void {
		const row = this.members.get(id);
		if (row) this.members.set(id, { ...row, username, display_name });
	}

	applyTitle(title: string | null, rev: number): void {
		if (rev < this.titleRev) return;
		this.titleRev = rev;
		this.title = title;
		if (this.conversation) this.conversation = { ...this.conversation, title };
	}

	/** Of a membership or conversation.settings, which has the keys that changed; for each the newest counts. */
	applySettings({ me = 0, muted_until, role }: { me?: number; muted_until?: string | null; role?: string }): void {
		if (muted_until !== undefined && me >= this.mutedMe) {
			this.mutedUntil = muted_until;
			this.mutedMe = me;
		}
		if (role !== undefined && me >= this.roleMe) {
			this.role = role;
			this.roleMe = me;
		}
	}

	/** The conversation as its reader sees it: a list item, a GET, a snapshot. False: one is no longer in it. */
	applyItem(item: Conversation): boolean {
		if (!this.conversation || item.last_rev >= this.conversation.last_rev) this.conversation = { ...item, title: this.title };
		this.applyTitle(item.title, item.last_rev);
		this.applyRead(item.read_seq);
		if (!this.mutedMe) this.mutedUntil = item.muted_until ?? null;
		if (!this.roleMe) this.role = item.role ?? this.role;
		if (item.last_message) this.applyMessage(item.last_message);
		return item.members.map((row) => this.applyMember(row, item.last_rev + 1)).every(Boolean);
	}

	/** Read at `rev`: who is held with a row as old and not among them may have left unheard. */
	startMembers(rows: Member[], rev: number): void {
		const ids = new Set(rows.map((row) => row.user_id));
		for (const [id, row] of this.members) if (row.rev <= rev && !ids.has(id)) this.members.delete(id);
	}

	/** The newest page, read at `rev`: what is as old and not in it may have changed unheard, and is forgotten. */
	startRows(items: StoredMessage[], rev: number, hasMoreBefore: boolean): void {
		for (const [seq, row] of this.rows) if (row.rev <= rev) this.rows.delete(seq);
		for (const [seq, part] of this.reactions) if (part.rev <= rev) this.reactions.delete(seq);
		this.newest = [...this.rows.values()].reduce<StoredMessage | null>((a, b) => (a && a.seq > b.seq ? a : b), null);
		this.asked.clear();
		this.run = null;
		for (const row of items) this.applyMessage(row);
		this.low = items[0]?.seq ?? 1;
		this.hasMoreBefore = hasMoreBefore;
	}

	/** The page that ends right below `low`. */
	extendRows(items: StoredMessage[], hasMoreBefore: boolean): void {
		for (const row of items) this.applyMessage(row);
		this.low = items[0]?.seq ?? this.low;
		this.hasMoreBefore = hasMoreBefore;
		this.run = null;
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
