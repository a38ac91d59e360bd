// What can be done with the open conversation.

import { type Chat, nameOf } from "../chat";
import type { ConversationStream } from "../core/stream";
import { block, unblock } from "../net/people";
import { MoreIcon } from "./icons";
import { Menu, type MenuItem } from "./menu";

export function ConversationMenu({ chat, stream }: { chat: Chat; stream: ConversationStream }) {
	chat.version.value;
	const items = stream.conversation?.kind === "group" ? ofGroup(chat, stream) : ofDirect(chat, stream);
	items.push(...ofMuting(chat, stream));
	return (
		<Menu label="What to do with this conversation" testid="conversation-menu" items={items}>
			<MoreIcon />
		</Menu>
	);
}

function ofGroup(chat: Chat, stream: ConversationStream): MenuItem[] {
	return [{ label: "Members and settings", testid: "open-group", run: () => (chat.panel.value = { kind: "group", conversationId: stream.id }) }];
}

const HOUR_MS = 3_600_000;

function ofMuting(chat: Chat, stream: ConversationStream): MenuItem[] {
	const forMs = (ms: number) => () => chat.mute(stream, new Date(Date.now() + ms).toISOString());
	if (chat.isMuted(stream)) return [{ label: "Unmute", testid: "unmute", run: () => chat.mute(stream, false) }];
	return [
		{ label: "Mute for an hour", testid: "mute-hour", run: forMs(HOUR_MS) },
		{ label: "Mute for a day", testid: "mute-day", run: forMs(24 * HOUR_MS) },
		{ label: "Mute", testid: "mute", run: () => chat.mute(stream, null) },
	];
}

function ofDirect(chat: Chat, stream: ConversationStream): MenuItem[] {
	const peer = chat.peerOf(stream);
	if (!peer || peer.user_id === chat.session.user.id) return [];
	const who = nameOf(peer);
	return chat.blocks.has(peer.user_id)
		? [{ label: `Unblock ${who}`, testid: "unblock", run: () => chat.attempt(unblock(chat.session, peer.user_id)) }]
		: [{ label: `Block ${who}`, testid: "block", danger: true, run: () => chat.attempt(block(chat.session, peer.user_id)) }];
}

/** Stands where one would write to somebody whom one has blocked. */
export function BlockedNote({ chat, userId, name }: { chat: Chat; userId: string; name: string }) {
	return (
		<p class="blocked-note" role="status" data-testid="blocked-note">
			You have blocked {name}: they can't write to you here.{" "}
			<button class="link" type="button" onClick={() => chat.attempt(unblock(chat.session, userId))}>
				Unblock
			</button>
		</p>
	);
}
