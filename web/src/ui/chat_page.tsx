// The page of somebody who is logged in: people and conversations on the left, the open one on the right.

import { useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Chat } from "../chat";
import { close, fromAddress, open } from "./address";
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

	return (
		<div class="page">
			<Banner chat={chat} />
			<div class="panes" data-pane={selection ? "conversation" : "list"}>
				<Sidebar chat={chat} onOpen={(next) => open(chat, next)} />
				{selection ? <ConversationPane chat={chat} selection={selection} onClose={() => close(chat)} /> : <NothingOpen />}
			</div>
			<PanelHost chat={chat} />
		</div>
	);
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
