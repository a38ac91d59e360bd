// The page of somebody who is logged in: people and conversations on the left, the open one on the right.
//
// The open conversation is in the address (#c=<id>), so the browser's Back closes it and a reload keeps it.

import { useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Chat, Selection } from "../chat";
import { Banner } from "./banner";
import { ConversationPane } from "./conversation_pane";
import { Logo } from "./icons";
import { PanelHost } from "./panel_host";
import { Sidebar } from "./sidebar";

export function ChatPage(props: { chat: Chat }) {
	const { chat } = props;
	const selection = chat.selection.value;

	useEffect(() => {
		const follow = () => (chat.selection.value = fromAddress());
		follow();
		addEventListener("popstate", follow);
		return () => removeEventListener("popstate", follow);
	}, [chat]);

	// A conversation with a person gets its address once it exists.
	useSignalEffect(() => {
		const current = chat.current.value;
		const peer = chat.selection.value?.peer;
		if (current && peer) history.replaceState({ peer }, "", `#c=${current.id}`);
	});

	const open = (next: Selection) => {
		chat.selection.value = next;
		history.pushState({ peer: next.peer }, "", next.conversationId ? `#c=${next.conversationId}` : "#new");
	};
	const close = () => {
		chat.selection.value = null;
		history.pushState(null, "", location.pathname);
	};

	return (
		<div class="page">
			<Banner chat={chat} />
			<div class="panes" data-pane={selection ? "conversation" : "list"}>
				<Sidebar chat={chat} onOpen={open} />
				{selection ? <ConversationPane chat={chat} selection={selection} onClose={close} /> : <NothingOpen />}
			</div>
			<PanelHost chat={chat} />
		</div>
	);
}

function fromAddress(): Selection | null {
	const id = /^#c=([0-9a-f-]+)$/.exec(location.hash)?.[1];
	if (id) return { conversationId: id };
	const peer = (history.state as Selection | null)?.peer;
	return peer && location.hash === "#new" ? { peer } : null;
}

function NothingOpen() {
	return (
		<main class="conversation empty">
			<Logo />
			<h2>Your messages</h2>
			<p>Choose a conversation, or find a person by name to start one.</p>
		</main>
	);
}
