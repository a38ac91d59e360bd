// One message, with its day and its sender where a group begins. Its text is a text node: whatever it says, it is never
// markup. An entry is drawn again only when it looks different, so a long conversation stays quick.

import { Component } from "preact";
import { nameOf } from "../chat";
import type { Outbox } from "../core/outbox";
import type { Member } from "../core/types";
import { type Shown, same } from "./arrange";
import { Avatar } from "./avatar";
import { fullTimeOf, timeOf } from "./time";

interface EntryProps {
	item: Shown;
	sender: Member | undefined;
	group: boolean;
	outbox: Outbox;
}

export class Entry extends Component<EntryProps> {
	override shouldComponentUpdate(next: EntryProps): boolean {
		return next.sender !== this.props.sender || next.group !== this.props.group || !same(next.item, this.props.item);
	}

	override render({ item, sender, group, outbox }: EntryProps) {
		return (
			<>
				{item.day && (
					<h2 class="day">
						<span>{item.day}</span>
					</h2>
				)}
				<div class={`entry${item.mine ? " mine" : ""}${item.first ? " first" : ""}${item.last ? " last" : ""}`} data-id={item.id}>
					{group && !item.mine && item.first && sender && (
						<p class="sender">
							<Avatar id={sender.user_id} name={nameOf(sender)} /> {nameOf(sender)}
						</p>
					)}
					{item.first && <span class="unseen">{item.mine ? "You: " : sender && `${nameOf(sender)}: `}</span>}
					<div
						class={item.text === null ? "bubble deleted" : "bubble"}
						title={fullTimeOf(item.timestamp)}
						data-testid="message"
						data-state={item.state}
						data-seq={item.seq ?? undefined}
					>
						<span class="bubble-text" dir="auto">
							{item.text ?? "Message deleted"}
						</span>
					</div>
					{item.state === "failed" ? <Failed item={item} outbox={outbox} /> : <Stamp item={item} />}
				</div>
			</>
		);
	}
}

function Failed(props: { item: Shown; outbox: Outbox }) {
	const { item, outbox } = props;
	return (
		<p class="failed" role="alert">
			Not sent. {item.reason}{" "}
			<button class="link" type="button" onClick={() => outbox.retry(item.id)}>
				Try again
			</button>{" "}
			<button class="link" type="button" onClick={() => outbox.remove(item.id)}>
				Discard
			</button>
		</p>
	);
}

function Stamp(props: { item: Shown }) {
	const { item } = props;
	if (item.state === "pending") return <p class="stamp">Sending…</p>;
	if (!item.last && !item.edited) return null;
	return (
		<p class="stamp">
			{item.last && <time dateTime={item.timestamp}>{timeOf(item.timestamp)}</time>}
			{item.edited && " edited"}
		</p>
	);
}
