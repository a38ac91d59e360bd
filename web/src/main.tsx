// Starts the page.

import { effect } from "@preact/signals";
import { render } from "preact";
import { changing, chat, followOtherTabs, notice, restore, title, unreachable } from "./app";
import "./styles/base.css";
import "./styles/form.css";
import "./styles/auth.css";
import "./styles/frame.css";
import "./styles/sidebar.css";
import "./styles/conversation.css";
import "./styles/actions.css";
import "./styles/dialog.css";
import "./styles/narrow.css";
import { AuthPage } from "./ui/auth";
import { ChatPage } from "./ui/chat_page";
import { Logo } from "./ui/icons";
import { MustChange } from "./ui/must_change";

function App() {
	const open = chat.value;
	if (open) return <ChatPage key={open.session.user.id} chat={open} />;
	if (changing.value) return <MustChange />;
	if (open === null) return <AuthPage notice={notice.value} />;
	return (
		<main class="splash">
			<Logo />
			<p role="status">{unreachable.value ? "The server can't be reached. Trying again…" : ""}</p>
		</main>
	);
}

effect(() => {
	document.title = title.value;
});
render(<App />, document.getElementById("app")!);
followOtherTabs();
void restore();
