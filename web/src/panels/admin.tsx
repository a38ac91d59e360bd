// For administrators of the server: its people, who may sign up, and what administrators have done.

import type { Chat } from "../chat";
import { Dialog } from "../ui/dialog";
import { type Tab, Tabs } from "../ui/tabs";
import { Accounts } from "./accounts";
import { Audit } from "./audit";
import { Invites } from "./invites";

export function Admin({ chat, onClose }: { chat: Chat; onClose(): void }) {
	const tabs: Tab[] = [
		{ id: "accounts", label: "People", show: () => <Accounts chat={chat} /> },
		{ id: "invites", label: "Sign-up", show: () => <Invites chat={chat} /> },
		{ id: "audit", label: "Audit", show: () => <Audit chat={chat} /> },
	];
	return (
		<Dialog title="Administration" testid="admin" onClose={onClose} onBack={() => (chat.panel.value = { kind: "settings" })}>
			<Tabs tabs={tabs} label="Administration" />
		</Dialog>
	);
}
