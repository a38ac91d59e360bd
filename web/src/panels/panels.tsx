// Which panel is which; the first file of the script that is loaded for them.

import type { Chat } from "../chat";
import { Admin } from "./admin";
import { Group } from "./group";
import type { Panel as Shown } from "./kinds";
import { NewGroup } from "./new_group";
import { ReadBy } from "./readers";
import { Settings } from "./settings";

export function Panel(props: { chat: Chat; panel: Shown; onClose(): void }) {
	const { chat, panel, onClose } = props;
	switch (panel.kind) {
		case "settings":
			return <Settings chat={chat} onClose={onClose} first={panel.tab} />;
		case "admin":
			return <Admin chat={chat} onClose={onClose} />;
		case "new_group":
			return <NewGroup chat={chat} onClose={onClose} />;
		case "group":
			return <Group chat={chat} conversationId={panel.conversationId} onClose={onClose} />;
		case "readers":
			return <ReadBy chat={chat} message={panel.message} onClose={onClose} />;
	}
}
