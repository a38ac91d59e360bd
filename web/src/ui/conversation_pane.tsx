// The right pane: whom one talks to, what was said, and what one is about to say.

import { type Chat, nameOf, type Selection } from "../chat";
import type { ConversationStream } from "../core/stream";
import { Avatar } from "./avatar";
import { Composer } from "./composer";
import { BlockedNote, ConversationMenu } from "./conversation_menu";
import { Refusal } from "./form";
import { BackIcon } from "./icons";
import { MessageList } from "./message_list";
import { Dot, presenceText } from "./presence";
import { secondsOf } from "./words";

export function ConversationPane(props: { chat: Chat; selection: Selection; onClose(): void }) {
	const { chat, selection } = props;
	chat.version.value;
	const stream = chat.current.value;
	const peer = stream ? chat.peerOf(stream) : undefined;
	const person = selection.peer;
	if (!stream?.conversation && !person) {
		return (
			<main class="conversation empty">
				<p role="status" data-testid="gone">
					{chat.replica.listed && !selection.fresh ? "This conversation isn't here any more: it was deleted, or you are not in it." : "Loading…"}
				</p>
				<button class="link" type="button" onClick={props.onClose}>
					Back to all conversations
				</button>
			</main>
		);
	}
	const title = stream ? chat.titleOf(stream) : nameOf(person!);
	const direct = !stream || stream.conversation?.kind === "direct";
	const peerId = direct ? (peer?.user_id ?? person?.id) : undefined;
	const there = peerId && peerId !== chat.session.user.id ? presenceText(chat, peerId) : "";
	const more = direct ? [`@${peer?.username ?? person?.username ?? ""}`, there].filter(Boolean).join(" · ") : groupNote(chat, stream);
	const lane = chat.address()?.lane ?? "";
	return (
		<main class="conversation" aria-label={`Conversation with ${title}`}>
			<header class="conversation-head">
				<button class="icon-button back" type="button" aria-label="All conversations" onClick={props.onClose}>
					<BackIcon />
				</button>
				<Avatar id={stream ? chat.faceOf(stream) : (person?.id ?? "")} name={title}>
					{there && <Dot chat={chat} userId={peerId} />}
				</Avatar>
				<div class="conversation-names">
					<h1>{title}</h1>
					<span data-testid="conversation-note">{more}</span>
				</div>
				{stream && <ConversationMenu chat={chat} stream={stream} />}
			</header>
			<MessageList key={lane} chat={chat} stream={stream} title={title} lane={lane} />
			<Refusal key={`trouble-${lane}`} failure={chat.trouble.value} testid="trouble" />
			{peerId && chat.blocks.has(peerId) ? (
				<BlockedNote chat={chat} userId={peerId} name={title} />
			) : (
				<Composer key={`composer-${lane}`} chat={chat} lane={lane} title={title} />
			)}
		</main>
	);
}

function groupNote(chat: Chat, stream: ConversationStream): string {
	const { member_count: count = 0, slow_mode_s: slow = 0 } = stream.conversation ?? {};
	const online = chat.presence.count(stream.id) ?? stream.present().filter((id) => chat.presence.of(id).connection_status === "online").length;
	const there = online ? ` · ${online} online` : "";
	return `${count === 1 ? "1 member" : `${count} members`}${there}${slow ? ` · slow mode, ${secondsOf(slow * 1000)}` : ""}`;
}
