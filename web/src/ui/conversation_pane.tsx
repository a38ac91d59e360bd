// The right pane: whom one talks to, what was said, and what one is about to say.

import { type Chat, nameOf, type Selection } from "../chat";
import { Avatar } from "./avatar";
import { Composer } from "./composer";
import { BackIcon } from "./icons";
import { MessageList } from "./message_list";

export function ConversationPane(props: { chat: Chat; selection: Selection; onClose(): void }) {
	const { chat, selection } = props;
	chat.version.value;
	const stream = chat.current.value;
	const peer = stream ? chat.peerOf(stream) : undefined;
	const person = selection.peer;
	if (!stream?.conversation && !person) {
		return (
			<main class="conversation empty">
				<p role="status">{chat.replica.listed ? "This conversation isn't here any more." : "Loading…"}</p>
				<button class="link" type="button" onClick={props.onClose}>
					Back to all conversations
				</button>
			</main>
		);
	}
	const title = stream ? chat.titleOf(stream) : nameOf(person!);
	const direct = !stream || stream.conversation?.kind === "direct";
	const more = direct ? `@${peer?.username ?? person?.username ?? ""}` : `${stream.conversation?.member_count ?? 0} members`;
	const lane = chat.address()?.lane ?? "";
	return (
		<main class="conversation" aria-label={`Conversation with ${title}`}>
			<header class="conversation-head">
				<button class="icon-button back" type="button" aria-label="All conversations" onClick={props.onClose}>
					<BackIcon />
				</button>
				<Avatar id={peer?.user_id ?? person?.id ?? stream?.id ?? ""} name={title} />
				<div class="conversation-names">
					<h1>{title}</h1>
					<span>{more}</span>
				</div>
			</header>
			<MessageList key={lane} chat={chat} stream={stream} title={title} lane={lane} />
			<Composer key={`composer-${lane}`} chat={chat} lane={lane} title={title} />
		</main>
	);
}
