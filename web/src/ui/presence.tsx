// The dot that says whether somebody is there, and the words for it. What is not known has neither.

import type { Chat } from "../chat";
import { agoOf } from "./time";

export function Dot({ chat, userId }: { chat: Chat; userId: string | undefined }) {
	const status = userId ? chat.presence.of(userId).connection_status : "unknown";
	if (status === "unknown") return null;
	return <span class="dot" role="img" aria-label={status} data-testid="presence" data-status={status} />;
}

/** "" when nothing is known. */
export function presenceText(chat: Chat, userId: string): string {
	const { connection_status: status, last_seen: seen } = chat.presence.of(userId);
	if (status === "online") return "online";
	if (seen && status === "offline") return `last seen ${agoOf(seen)}`;
	return status === "offline" ? "offline" : "";
}
