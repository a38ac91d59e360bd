// One person's chat while they are logged in: ties the core to the network and tells the page by signals.

import { computed, signal } from "@preact/signals";
import { systemClock } from "./core/clock";
import { type Address, Outbox, type Outgoing } from "./core/outbox";
import { Replica } from "./core/replica";
import { byActivity, type ConversationStream } from "./core/stream";
import type { Failure, Frame, Member, Message, User } from "./core/types";
import { type LinkState, Socket } from "./net/socket";
import { restSource, sendByRest } from "./net/source";
import type { Session } from "./net/session";
import { ReadMarks } from "./read";

/** What is open on the right: a conversation, or a person with whom there may be none yet. */
export interface Selection {
	conversationId?: string;
	peer?: User;
}

export class Chat {
	/** Rises with every change of what the core holds; whoever reads the core reads this first. */
	readonly version = signal(0);
	readonly link = signal<LinkState>("connecting");
	readonly linkReason = signal("");
	readonly degraded = signal(false);
	/** What the server has refused to give, in its words. */
	readonly refusal = signal("");
	readonly selection = signal<Selection | null>(null);
	readonly drafts = new Map<string, string>();
	readonly outbox: Outbox;
	readonly replica: Replica;
	private readonly marks: ReadMarks;
	private readonly socket: Socket;
	private started = false;
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

	readonly unreadTotal = computed(() => this.conversations.value.reduce((sum, stream) => sum + this.unread(stream), 0));

	constructor(readonly session: Session) {
		this.marks = new ReadMarks(session.user.id);
		this.replica = new Replica(session.user.id, restSource(session), systemClock, {
			changed: () => this.changed(),
			stored: (message) => message.sender_id === session.user.id && this.outbox.remove(message.id),
			rejected: (rejection) => this.outbox.rejected(rejection),
			refused: (failure) => this.onRefused(failure),
		});
		this.outbox = new Outbox((entry) => this.deliver(entry), systemClock, () => this.changed());
		this.socket = new Socket({
			token: () => session.accessToken(),
			renew: () => session.refresh(),
			known: () => this.replica.known(),
			onFrame: (frame) => this.onFrame(frame),
			onState: (state, reason) => this.onState(state, reason),
			onRevoked: () => session.end("expired"),
		});
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

	end(): void {
		removeEventListener("online", this.wake);
		removeEventListener("offline", this.wake);
		document.removeEventListener("visibilitychange", this.wakeIfVisible);
		this.replica.end();
		this.outbox.end();
		this.socket.end();
	}

	/** Tries at once whatever waits for the network. */
	readonly wake = (): void => {
		this.refusal.value = "";
		this.replica.wake();
		this.outbox.wake();
		if (this.started) this.socket.wake();
	};

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

	unread(stream: ConversationStream): number {
		return stream.unread(this.marks.get(stream.id));
	}

	/** What is shown of a conversation has been read up to its end. */
	markRead(stream: ConversationStream): void {
		if (document.visibilityState === "visible" && this.marks.set(stream.id, stream.lastSeq)) this.changed();
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
			const reply: Frame = await this.socket.request("message.send", { ...to, message_id: entry.id, content: entry.content });
			message = reply.message as Message;
		} else {
			message = await sendByRest(this.session, entry.to, entry.id, entry.content);
		}
		if (message.seq !== null && message.rev !== null) {
			this.replica.reply({ ...message, seq: message.seq, rev: message.rev }, mark);
		}
		return message;
	}

	private onFrame(frame: Frame): void {
		if (frame.type === "hello" || frame.type === "mode") this.degraded.value = frame.mode === "degraded";
		this.replica.frame(frame);
	}

	private onState(state: LinkState, reason: string): void {
		this.link.value = state;
		this.linkReason.value = reason;
		if (state !== "online") return;
		this.refusal.value = "";
		this.outbox.wake();
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
		};
		// A burst of frames is drawn once. A hidden page draws nothing, but its title counts the unread.
		if (document.visibilityState === "visible") requestAnimationFrame(tell);
		else setTimeout(tell);
	}
}

export function nameOf(person: { display_name: string; username: string }): string {
	return person.display_name || person.username;
}
