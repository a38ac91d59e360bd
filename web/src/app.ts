// What the page shows at all: the log-in or the chat, and how one becomes the other.

import { computed, signal } from "@preact/signals";
import { Backoff } from "./core/clock";
import { Chat } from "./chat";
import { type End, onOtherTab, Session } from "./net/session";

/** undefined: not known yet; null: nobody is logged in. */
export const chat = signal<Chat | null | undefined>(undefined);
/** Somebody whose password was for once, and has to be changed first. */
export const changing = signal<{ session: Session; password: string } | null>(null);
export const notice = signal("");
export const unreachable = signal(false);

export const title = computed(() => {
	const unread = chat.value?.unreadTotal.value ?? 0;
	return unread ? `(${unread > 99 ? "99+" : unread}) Stonechat` : "Stonechat";
});

/** Goes on where the last visit ended. */
export async function restore(): Promise<void> {
	const backoff = new Backoff();
	for (;;) {
		try {
			const session = await Session.restore();
			if (session) return enter(session);
			chat.value = null;
			return;
		} catch {
			unreachable.value = true;
			await new Promise((resolve) => setTimeout(resolve, backoff.next()));
		}
	}
}

/** Tabs share one session: what one does, all show. */
export function followOtherTabs(): void {
	onOtherTab((loggedIn) => {
		if (!loggedIn) chat.value?.session.end("elsewhere");
		else if (chat.value === null) void restore();
	});
}

/** `password`: the one that was just used. */
export function enter(session: Session, password = ""): void {
	if (session.user.must_change_password) {
		session.onEnd = () => (changing.value = null);
		changing.value = { session, password };
		return;
	}
	const entered = new Chat(session);
	session.onEnd = (why) => leave(entered, why);
	notice.value = "";
	unreachable.value = false;
	chat.value = entered;
	void entered.start();
}

function leave(left: Chat, why: End): void {
	left.end(why);
	if (why === "other_person") return location.reload();
	if (chat.value !== left) return;
	notice.value = why === "expired" ? "Your session has ended. Log in again." : "";
	chat.value = null;
	history.replaceState(null, "", location.pathname);
}
