// Who is typing in the open conversation.

import { type Chat, nameOf } from "../chat";
import type { ConversationStream } from "../core/stream";

export function Typing({ chat, stream }: { chat: Chat; stream: ConversationStream }) {
	chat.version.value;
	const text = typingText(chat, stream);
	return (
		<p class="typing" role="status" data-testid="typing" hidden={!text}>
			{text}
		</p>
	);
}

/** "" when nobody does, of whom one has not blocked. */
export function typingText(chat: Chat, stream: ConversationStream): string {
	const typing = stream.receipts.typing(Date.now()).filter((id) => !chat.blocks.has(id));
	const names = typing.map((id) => {
		const member = stream.members.get(id);
		return member ? nameOf(member) : "Somebody";
	});
	if (!names.length) return "";
	if (names.length === 1) return stream.conversation?.kind === "direct" ? "typing…" : `${names[0]} is typing…`;
	return names.length === 2 ? `${names[0]} and ${names[1]} are typing…` : "Several people are typing…";
}
