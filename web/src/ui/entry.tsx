// One message, with its day and its sender where a group begins. Its text is a text node: whatever it says, it is never
// markup. An entry is drawn again only when it looks different, so a long conversation stays quick.

import { Component } from "preact";
import { type Chat, nameOf } from "../chat";
import type { Member } from "../core/types";
import { Actions, type Opened, Unfolded } from "./actions";
import { type Shown, same } from "./arrange";
import { Avatar } from "./avatar";
import { useLeft } from "./countdown";
import { TickIcon, TicksIcon } from "./icons";
import { Reactions } from "./reactions";
import { fullTimeOf, timeOf } from "./time";
import { secondsOf } from "./words";

interface EntryProps {
	chat: Chat;
	lane: string;
	item: Shown;
	sender: Member | undefined;
	/** The sender of the message it answers. */
	quotedSender: Member | undefined;
	group: boolean;
	opened: Opened;
	onOpen(opened: Opened): void;
	onQuote(seq: number): void;
}

export class Entry extends Component<EntryProps> {
	override shouldComponentUpdate(next: EntryProps): boolean {
		const now = this.props;
		const other = next.sender !== now.sender || next.quotedSender !== now.quotedSender || next.group !== now.group;
		return other || next.opened !== now.opened || !same(next.item, now.item);
	}

	override render(props: EntryProps) {
		const { chat, item, sender, group } = props;
		const who = item.mine ? "You" : sender ? nameOf(sender) : "Somebody";
		return (
			<>
				{item.day && (
					<h2 class="day">
						<span>{item.day}</span>
					</h2>
				)}
				<div
					class={`entry${item.mine ? " mine" : ""}${item.first ? " first" : ""}${item.last ? " last" : ""}`}
					data-id={item.id}
					data-testid="entry"
					tabIndex={-1}
					role="article"
					aria-label={`${who}, ${timeOf(item.timestamp)}`}
				>
					{group && !item.mine && item.first && sender && (
						<p class="sender">
							<Avatar id={sender.user_id} name={nameOf(sender)} /> {nameOf(sender)}
						</p>
					)}
					{item.first && <span class="unseen">{`${who}: `}</span>}
					<div class="bubble-frame">
						<div
							class={item.text === null ? "bubble deleted" : "bubble"}
							title={fullTimeOf(item.timestamp)}
							data-testid="message"
							data-state={item.state}
							data-change={item.change || undefined}
							data-seq={item.seq ?? undefined}
						>
							{item.replyToId && <Quote {...props} />}
							<span class="bubble-text" dir="auto">
								{item.text ?? "Message deleted"}
							</span>
						</div>
						{item.row && item.text !== null && <Actions {...props} row={item.row} />}
					</div>
					{item.row && <Reactions chat={chat} row={item.row} reactions={item.reactions} />}
					{item.row && props.opened && item.text !== null && <Unfolded {...props} row={item.row} />}
					<Note chat={chat} item={item} />
				</div>
			</>
		);
	}
}

/** What the message answers; pressing it goes there. */
function Quote(props: { chat: Chat; item: Shown; quotedSender: Member | undefined; onQuote(seq: number): void }) {
	const { chat, quotedSender } = props;
	const { quoted } = props.item;
	const who = quoted?.sender_id === chat.session.user.id ? "You" : quotedSender ? nameOf(quotedSender) : "";
	return (
		<button
			class="quote"
			type="button"
			data-testid="quote"
			aria-label={`In reply to ${who || "a message"}: ${quoted?.content ?? ""}`}
			disabled={!quoted}
			onClick={() => quoted && props.onQuote(quoted.seq)}
		>
			<strong>{who}</strong>
			<span dir="auto">{quoted ? (quoted.content ?? "Message deleted") : "An earlier message"}</span>
		</button>
	);
}

/** What is to be said below a message: refused, on its way, or when it was said. */
function Note({ chat, item }: { chat: Chat; item: Shown }) {
	if (item.state === "failed") return <Failed what="Not sent." reason={item.reason} queue={chat.outbox} id={item.id} />;
	if (item.change === "failed") return <Failed what="Not changed." reason={item.reason} queue={chat.changes} id={item.changeId} />;
	if (item.state === "pending" && item.waitsUntil) return <Waiting code={item.waitsFor} until={item.waitsUntil} onDiscard={() => chat.outbox.remove(item.id)} />;
	if (item.state === "pending") return <p class="stamp">Sending…</p>;
	if (item.change === "pending") return <p class="stamp">Saving…</p>;
	if (!item.last && !item.edited) return null;
	return (
		<p class="stamp">
			{item.last && <time dateTime={item.timestamp}>{timeOf(item.timestamp)}</time>}
			{item.edited && <span data-testid="edited"> edited</span>}
			{item.last && item.receipt && <Ticks receipt={item.receipt} />}
		</p>
	);
}

/** The outbox sends it when its time has come. */
function Waiting(props: { code: string; until: number; onDiscard(): void }) {
	const left = useLeft(props.until);
	const why = props.code === "slow_mode" ? "Slow mode" : "Too many messages in a short time";
	return (
		<p class="stamp" role="status" data-testid="waiting" data-code={props.code}>
			{left ? `${why}: goes out in ${secondsOf(left)}` : "Sending…"}{" "}
			<button class="link" type="button" onClick={props.onDiscard}>
				Discard
			</button>
		</p>
	);
}

const TICKS = { sent: "Sent", delivered: "Delivered", read: "Read" };

function Ticks({ receipt }: { receipt: keyof typeof TICKS }) {
	return (
		<span class="ticks" role="img" aria-label={TICKS[receipt]} title={TICKS[receipt]} data-testid="receipt" data-receipt={receipt}>
			{receipt === "sent" ? <TickIcon /> : <TicksIcon />}
		</span>
	);
}

function Failed(props: { what: string; reason: string; id: string; queue: { retry(id: string): void; remove(id: string): void } }) {
	const { queue, id } = props;
	return (
		<p class="failed" role="alert" data-testid="failed">
			{props.what} {props.reason}{" "}
			<button class="link" type="button" onClick={() => queue.retry(id)}>
				Try again
			</button>{" "}
			<button class="link" type="button" onClick={() => queue.remove(id)}>
				Discard
			</button>
		</p>
	);
}
