// What a person decides about themselves.

import type { Chat } from "../chat";
import { Dialog } from "../ui/dialog";
import { type Tab, Tabs } from "../ui/tabs";
import { Account } from "./account";
import { BlockedPeople } from "./blocked";
import { Devices } from "./devices";
import { OwnData } from "./own_data";
import { Tokens } from "./tokens";

export function Settings(props: { chat: Chat; first: string | undefined; onClose(): void }) {
	const { chat } = props;
	const tabs: Tab[] = [
		{ id: "account", label: "Account", show: () => <Account chat={chat} /> },
		{ id: "devices", label: "Devices", show: () => <Devices chat={chat} /> },
		{ id: "tokens", label: "Access tokens", show: () => <Tokens chat={chat} /> },
		{ id: "blocked", label: "Blocked people", show: () => <BlockedPeople chat={chat} /> },
		{ id: "data", label: "Your data", show: () => <OwnData chat={chat} /> },
	];
	return (
		<Dialog title="Settings" testid="settings" onClose={props.onClose}>
			<Tabs tabs={tabs} label="Settings" first={props.first}>
				{chat.session.user.role === "admin" && (
					<button type="button" class="to-admin" data-testid="open-admin" onClick={() => (chat.panel.value = { kind: "admin" })}>
						Administration…
					</button>
				)}
			</Tabs>
		</Dialog>
	);
}
