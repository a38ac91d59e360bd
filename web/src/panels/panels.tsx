// Which panel is which; the first file of the script that is loaded for them.

import type { Chat } from "../chat";
import type { Panel as Shown } from "./kinds";
import { Settings } from "./settings";

export function Panel(props: { chat: Chat; panel: Shown; onClose(): void }) {
	const { chat, panel, onClose } = props;
	switch (panel.kind) {
		case "settings":
			return <Settings chat={chat} onClose={onClose} first={panel.tab} />;
	}
}
