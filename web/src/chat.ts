// One person's chat while they are logged in: ties the core to the network and tells the page by signals.

import { computed, signal } from "@preact/signals";
import { Blocks } from "./core/blocks";
import { type Change, ChangeQueue, type PendingChange, withChanges } from "./core/changes";
import { systemClock } from "./core/clock";
import { type Address, Outbox, type Outgoing, type OutboxStore } from "./core/outbox";
import type { Source } from "./core/ports";
import { PresenceWatch } from "./core/presence";
import { readQuoted } from "./core/quotes";
import { ReadMarks } from "./core/read_marks";
import { Replica } from "./core/replica";
import { Telling } from "./core/telling";
import { byActivity, type ConversationStream } from "./core/stream";
import { asFailure, Failure, type Frame, type Member, type Message, type StoredMessage, type SyncAnswer, type SyncRequest, type User } from "./core/types";
import { type LinkState, Socket } from "./net/socket";
import { mute, unmute } from "./net/people";
import { openOutbox } from "./net/outbox_store";
import { changeByRest, markReadByRest, restSource, sendByRest } from "./net/source";
import type { End, Session } from "./net/session";
import type { Panel } from "./panels/kinds";

/** What is open on the right: a conversation, or a person with whom there may be none yet. */
export interface Selection {
	conversationId?: string;
	peer?: User;
	/** It was just made: it may not have come yet. */
	fresh?: boolean;
}

/** What the composer of a lane is for when it isn't a plain message. */
export interface Intent {
	kind: "reply" | "edit";
	lane: string;
	message: StoredMessage;
}

const FRAMES = { edit: "message.edit", delete: "message.delete", react: "reaction.add", unreact: "reaction.remove" } as const;

const REREAD_MS = 300;

export class Chat {
	/** Rises with every change of what the core holds; whoever reads the core reads this first. */
	readonly version = signal(0);
	readonly link = signal<LinkState>("connecting");
	readonly linkReason = signal("");
	readonly degraded = signal(false);
	/** What the server has refused to give, in its words. */
	readonly refusal = signal("");
	readonly selection = signal<Selection | null>(null);
	readonly intent = signal<Intent | null>(null);
	/** Why what the person asked for was not done. */
	readonly trouble = signal<Failure | null>(null);
	/** What is open over the page. */
	readonly panel = signal<Panel | null>(null);
	readonly drafts = new Map<string, string>();
	readonly outbox: Outbox;
	readonly changes: ChangeQueue;
	readonly replica: Replica;
	readonly telling: Telling;
	readonly blocks = new Blocks();
	readonly presence: PresenceWatch;
	private readonly store: OutboxStore;
	private readonly source: Source;
	private readonly marks: ReadMarks;
	private readonly socket: Socket;
	private started = false;
	private cancelReread: (() => void) | null = null;
	private cancelTyping = (): void => {};
	private queued = false;

	/** All conversations that can be shown, newest activity first. */
	readonly conversations = computed<ConversationStream[]>(() => {
		this.version.value;
		return [...this.replica.streams.values()].filter((stream) => stream.conversation).sort(byActivity);
	});

	/** The conversation that is open, as soon as there is one. */
	readonly current = computed<ConversationStream | null>(() => {
		const selection = this.selection.value;
		const all = this.conversations.value;
		if (!selection) return null;
		if (selection.conversationId) return this.replica.streams.get(selection.conversationId) ?? null;
		return all.find((stream) => selection.peer && this.isDirectWith(stream, selection.peer.id)) ?? null;
	});

	readonly unreadTotal = computed(() => this.conversations.value.reduce((sum, stream) => sum + (this.isMuted(stream) ? 0 : this.unread(stream)), 0));

	constructor(readonly session: Session) {
		this.marks = new ReadMarks((id, seq) => this.tellRead(id, seq), systemClock);
		const source = restSource(session);
		this.source = { ...source, sync: (request) => source.sync(request).then((answer) => this.synced(request, answer)) };
		this.replica = new Replica(session.user.id, this.source, systemClock, {
			changed: () => this.changed(),
			stored: (message) => message.sender_id === session.user.id && this.outbox.remove(message.id),
			rejected: (rejection) => this.outbox.rejected(rejection),
			refused: (failure) => this.onRefused(failure),
		});
		this.store = openOutbox(session.user.id);
		this.outbox = new Outbox((entry) => this.deliver(entry), systemClock, () => this.changed(), this.store);
		this.changes = new ChangeQueue((entry) => this.deliverChange(entry), systemClock, () => this.changed());
		this.socket = new Socket({
			token: () => session.accessToken(),
			renew: () => session.refresh(),
			known: () => this.replica.known(),
			onFrame: (frame) => this.onFrame(frame),
			onState: (state, reason) => this.onState(state, reason),
			onRevoked: () => session.end("expired"),
		});
		this.telling = new Telling((type, body) => this.socket.tell(type, body), systemClock);
		this.presence = new PresenceWatch((ids) => this.socket.request("presence.watch", { user_ids: ids }), systemClock, () => this.changed());
		session.onToken = (token) => this.socket.refresh(token);
	}

	async start(): Promise<void> {
		addEventListener("online", this.wake);
		addEventListener("offline", this.wake);
		document.addEventListener("visibilitychange", this.wakeIfVisible);
		await this.replica.start();
		this.started = true;
		await this.socket.connect();
	}

	end(why: End): void {
		removeEventListener("online", this.wake);
		removeEventListener("offline", this.wake);
		document.removeEventListener("visibilitychange", this.wakeIfVisible);
		this.replica.end();
		if (why === "logged_out") void this.outbox.forget();
		else this.outbox.end();
		this.changes.end();
		this.cancelTyping();
		this.cancelReread?.();
		for (const part of [this.telling, this.presence]) part.end();
		this.marks.end();
		this.socket.end();
	}

	/** Logs out, which forgets what is on its way, even if the page is closed before the answer. */
	async logOut(): Promise<void> {
		this.store.leaving(true);
		try {
			await this.session.logOut();
		} catch (error) {
			this.store.leaving(false);
			throw error;
		}
	}

	/** Tries at once whatever waits for the network. */
	readonly wake = (): void => {
		this.refusal.value = "";
		this.replica.wake();
		this.wakeQueues();
		if (this.started) this.socket.wake();
	};

	private wakeQueues(): void {
		for (const queue of [this.outbox, this.changes, this.marks]) queue.wake();
		void this.outbox.adopt();
	}

	private readonly wakeIfVisible = (): void => {
		if (document.visibilityState !== "visible") return;
		this.wake();
		this.changed();
	};

	// -- what the page asks

	isDirectWith(stream: ConversationStream, userId: string): boolean {
		return stream.conversation?.kind === "direct" && this.peerOf(stream)?.user_id === userId;
	}

	/** The other person of a direct conversation; oneself, in notes to oneself. */
	peerOf(stream: ConversationStream): Member | undefined {
		const members = [...stream.members.values()];
		return members.find((member) => member.user_id !== this.session.user.id) ?? members[0];
	}

	titleOf(stream: ConversationStream): string {
		if (stream.conversation?.title) return stream.conversation.title;
		const peer = this.peerOf(stream);
		if (!peer) return "Conversation";
		return peer.user_id === this.session.user.id ? `${nameOf(peer)} (you)` : nameOf(peer);
	}

	/** What its picture is made from: the other person, or the group itself. */
	faceOf(stream: ConversationStream): string {
		return (stream.conversation?.kind === "direct" && this.peerOf(stream)?.user_id) || stream.id;
	}

	unread(stream: ConversationStream): number {
		return stream.unread();
	}

	/** What is shown of a conversation has been read up to its end; the server is told unless one's own message says so. */
	markRead(stream: ConversationStream): void {
		const seq = stream.messages().at(-1)?.seq ?? 0;
		if (document.visibilityState !== "visible" || seq <= Math.max(stream.readSeq, stream.ownSeq)) return;
		this.replica.read(stream.id, seq);
		this.marks.set(stream.id, seq);
	}

	/** Does what the person asked for; what is refused is said beside the conversation. */
	attempt(what: Promise<unknown>): void {
		this.trouble.value = null;
		what.catch((error: unknown) => (this.trouble.value = asFailure(error)));
	}

	/** Mutes a conversation (null: for ever), or lets it call again. */
	mute(stream: ConversationStream, until: string | null | false): void {
		const done = until === false ? unmute(this.session, stream.id) : mute(this.session, stream.id, until);
		this.attempt(done.then((row) => (stream.applySettings(row), this.changed())));
	}

	isMuted(stream: ConversationStream): boolean {
		return stream.mutedUntil !== null && Date.parse(stream.mutedUntil) > Date.now();
	}

	/** One's own role in a group. */
	roleIn(stream: ConversationStream): string {
		return stream.role ?? stream.members.get(this.session.user.id)?.role ?? "member";
	}

	/** A message that is quoted is shown with what quotes it. */
	readQuoted(conversationId: string, messageId: string): void {
		void readQuoted(this.replica, this.source, conversationId, messageId);
	}

	/** Has the composer edit a message, as it is shown now. */
	edit(lane: string, message: StoredMessage): void {
		this.intent.value = { kind: "edit", lane, message: withChanges(message, this.changes.of(message.id), this.session.user.id) };
	}

	/** Changes a message that is there; it is shown at once. */
	change(message: StoredMessage, change: Change): void {
		this.changes.add(message, change);
	}

	/** Where a message goes that is written now; null when nothing is open. */
	address(): Address | null {
		const stream = this.current.value;
		const peer = this.selection.value?.peer;
		if (!stream) return peer ? { lane: peer.id, recipient_id: peer.id } : null;
		const other = stream.conversation?.kind === "direct" ? this.peerOf(stream)?.user_id : undefined;
		return { lane: other ?? stream.id, conversation_id: stream.id };
	}

	outgoing(lane: string): Outgoing[] {
		this.version.value;
		return this.outbox.entries.filter((entry) => entry.to.lane === lane);
	}

	// -- the network

	private async deliver(entry: Outgoing): Promise<Message> {
		const mark = this.replica.mark(entry.to.conversation_id);
		const { lane: _, ...to } = entry.to;
		let message: Message;
		if (this.socket.ready) {
			const draft = { ...to, message_id: entry.id, content: entry.content };
			const quote = entry.replyToId ? { reply_to_id: entry.replyToId } : {};
			message = (await this.socket.request("message.send", { ...draft, ...quote })).message as Message;
		} else {
			message = await sendByRest(this.session, entry);
		}
		if (message.seq !== null && message.rev !== null) {
			this.replica.reply({ ...message, seq: message.seq, rev: message.rev }, mark);
		}
		return message;
	}

	private async deliverChange({ conversationId, messageId, change }: PendingChange): Promise<void> {
		const mark = this.replica.mark(conversationId);
		let message: StoredMessage;
		if (this.socket.ready) {
			const { action, ...what } = change;
			const reply = await this.socket.request(FRAMES[action], { conversation_id: conversationId, message_id: messageId, ...what });
			message = reply.message as StoredMessage;
		} else {
			message = await changeByRest(this.session, conversationId, messageId, change);
		}
		this.replica.reply(message, mark);
	}

	private async tellRead(id: string, seq: number): Promise<void> {
		if (this.socket.ready) {
			const reply = await this.socket.request("read.update", { conversation_id: id, seq });
			this.replica.markedRead(id, reply.read_seq ?? 0, reply.me ?? 0);
		} else {
			const row = await markReadByRest(this.session, id, seq);
			this.replica.markedRead(id, row.read_seq ?? 0, row.me);
		}
	}

	private onFrame(frame: Frame): void {
		if (frame.type === "hello" || frame.type === "mode") this.degraded.value = frame.mode === "degraded";
		this.presence.frame(frame);
		this.blocks.frame(frame);
		if (frame.type === "user.updated" && frame.user) this.renamed(frame.user);
		this.replica.frame(frame);
		if (frame.conversation_id === this.current.value?.id && tellsOfMembers(frame)) this.reread();
	}

	private onState(state: LinkState, reason: string): void {
		this.link.value = state;
		this.linkReason.value = reason;
		this.presence.link(state === "online");
		if (state !== "online") return;
		this.refusal.value = "";
		this.wakeQueues();
	}

	private synced(request: SyncRequest, answer: SyncAnswer): SyncAnswer {
		this.blocks.synced(answer, request.me === undefined && request.cursor === undefined);
		return answer;
	}

	private renamed(user: User): void {
		for (const stream of this.replica.streams.values()) stream.applyPerson(user);
		this.changed();
	}

	/** What follows from what is held now: others hear that it has come, and those who are shown are watched. */
	private attend(): void {
		const shown: string[] = [];
		const current = this.current.value;
		for (const stream of current ? [current, ...this.conversations.value] : this.conversations.value) {
			const newest = stream.newest;
			if (newest && newest.sender_id !== this.session.user.id && newest.seq > stream.readSeq) this.telling.delivered(stream.id, newest.seq);
			if (stream.conversation?.kind === "direct" || stream === current) shown.push(...stream.present());
		}
		this.cancelTyping();
		const ends = this.conversations.value.flatMap((stream) => stream.receipts.nextEnd(Date.now()) ?? []);
		if (ends.length) this.cancelTyping = systemClock.after(Math.min(...ends) - Date.now() + 1, () => this.changed());
		this.presence.show(shown.filter((id) => id !== this.session.user.id));
	}

	/**
	 * Reads the open conversation anew, soon: what is not told by events (its size, its slow mode, cursors that moved unheard)
	 * is as it was read last.
	 */
	reread(): void {
		this.cancelReread ??= systemClock.after(REREAD_MS, () => {
			this.cancelReread = null;
			if (this.current.value && this.link.value === "online") void this.readItem(this.current.value);
		});
	}

	private async readItem(stream: ConversationStream): Promise<void> {
		const { turn } = stream;
		const item = await this.source.conversation(stream.id).catch(asFailure);
		if (item instanceof Failure || this.replica.streams.get(stream.id) !== stream || stream.turn !== turn) return;
		stream.applyItem(item);
		this.changed();
	}

	/** A 401 that a new token didn't help is the end of the session. */
	private onRefused(failure: Failure): void {
		if (failure.status === 401) this.session.end("expired");
		else this.refusal.value = failure.detail;
	}

	private changed(): void {
		if (this.queued) return;
		this.queued = true;
		const tell = () => {
			this.queued = false;
			this.version.value++;
			this.attend();
		};
		// A burst of frames is drawn once. A hidden page draws nothing, but its title counts the unread.
		if (document.visibilityState === "visible") requestAnimationFrame(tell);
		else setTimeout(tell);
	}
}

function tellsOfMembers(frame: Frame): boolean {
	return frame.type.startsWith("member.") || !!frame.members?.length || !!frame.conversation;
}

export function nameOf(person: { display_name: string; username: string }): string {
	return person.display_name || person.username;
}
