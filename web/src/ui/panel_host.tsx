// Shows the panel that is open. Panels are a script of their own, read once the page is quiet or when the first is opened,
// so that what one came for, the messages, is there sooner.

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Chat } from "../chat";
import { Dialog } from "./dialog";

type Panels = typeof import("../panels/panels");

const panels = signal<Panels | null>(null);
const missing = signal(false);

async function load(): Promise<void> {
	if (panels.value) return;
	try {
		panels.value = await import("../panels/panels");
		missing.value = false;
	} catch {
		missing.value = true;
	}
}

export function PanelHost({ chat }: { chat: Chat }) {
	const panel = chat.panel.value;

	useEffect(() => {
		if (chat.link.value === "online" || panel) void load();
	}, [panel, chat.link.value]);

	if (!panel) return null;
	const close = () => (chat.panel.value = null);
	if (panels.value) {
		const { Panel } = panels.value;
		return <Panel key={panel.kind} chat={chat} panel={panel} onClose={close} />;
	}
	return (
		<Dialog title="One moment" testid="panel-loading" onClose={close}>
			{missing.value ? (
				<p class="note" role="alert">
					This part of the page could not be loaded.{" "}
					<button class="link" type="button" onClick={() => location.reload()}>
						Reload the page
					</button>
				</p>
			) : (
				<p class="note" role="status">
					Loading…
				</p>
			)}
		</Dialog>
	);
}
