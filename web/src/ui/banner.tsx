// Says when the connection is not what it should be. A short break is not worth a word.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Chat } from "../chat";

const PATIENCE_MS = 800;

export function Banner(props: { chat: Chat }) {
	const { chat } = props;
	const link = chat.link.value;
	const state = link === "online" ? stateOnline(chat) : link;
	const trouble = link === "offline" || link === "connecting";
	const shown = useSignal(false);

	useEffect(() => {
		const timer = setTimeout(() => (shown.value = trouble), trouble ? PATIENCE_MS : 0);
		return () => clearTimeout(timer);
	}, [trouble]);

	const hidden = state === "online" || (trouble && !shown.value);
	return (
		<div class="banner" role="status" data-testid="connection-banner" data-state={state} hidden={hidden}>
			<span>{textOf(state, state === "refused" ? chat.refusal.value : chat.linkReason.value)}</span>
			{(state === "offline" || state === "stopped" || state === "refused") && (
				<button class="link" type="button" onClick={() => chat.wake()}>
					Try now
				</button>
			)}
		</div>
	);
}

function stateOnline(chat: Chat): "online" | "degraded" | "refused" {
	if (chat.refusal.value) return "refused";
	return chat.degraded.value ? "degraded" : "online";
}

function textOf(state: string, reason: string): string {
	switch (state) {
		case "degraded":
			return "Messages may arrive a moment late.";
		case "connecting":
			return "Connecting…";
		case "stopped":
			return reason;
		case "refused":
			return `Not everything could be loaded: ${reason}`;
		case "offline":
			return navigator.onLine ? "No connection to the server. Trying again…" : "You are offline.";
		default:
			return "";
	}
}
