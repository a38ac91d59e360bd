// What a person decides about themselves.

import type { Chat } from "../chat";
import { Dialog } from "../ui/dialog";
import { type Tab, Tabs } from "../ui/tabs";
import { Account } from "./account";
import { Devices } from "./devices";
import { Tokens } from "./tokens";

export function Settings(props: { chat: Chat; first: string | undefined; onClose(): void }) {
	const { chat } = props;
	const tabs: Tab[] = [
		{ id: "account", label: "Account", show: () => <Account chat={chat} /> },
		{ id: "devices", label: "Devices", show: () => <Devices chat={chat} /> },
		{ id: "tokens", label: "Access tokens", show: () => <Tokens chat={chat} /> },
	];
	return (
		<Dialog title="Settings" testid="settings" onClose={props.onClose}>
			<Tabs tabs={tabs} label="Settings" first={props.first} />
		</Dialog>
	);
}
