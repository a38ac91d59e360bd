// What is open on the right is in the address (#c=<id>), so the browser's Back closes it and a reload keeps it.

import type { Chat, Selection } from "../chat";

export function open(chat: Chat, next: Selection): void {
	chat.panel.value = null;
	chat.trouble.value = null;
	chat.selection.value = next;
	history.pushState({ peer: next.peer }, "", next.conversationId ? `#c=${next.conversationId}` : "#new");
}

export function close(chat: Chat): void {
	chat.selection.value = null;
	history.pushState(null, "", location.pathname);
}

export function fromAddress(): Selection | null {
	const id = /^#c=([0-9a-f-]+)$/.exec(location.hash)?.[1];
	if (id) return { conversationId: id };
	const peer = (history.state as Selection | null)?.peer;
	return peer && location.hash === "#new" ? { peer } : null;
}
