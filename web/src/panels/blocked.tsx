// The people one has blocked.

import { type Chat, nameOf } from "../chat";
import { listBlocked, unblock } from "../net/people";
import { Avatar } from "../ui/avatar";
import { Refusal } from "../ui/form";
import { useTask } from "../ui/task";
import { More, usePages } from "./pages";

export function BlockedPeople({ chat }: { chat: Chat }) {
	const pages = usePages("", (cursor) => listBlocked(chat.session, cursor));
	const lift = useTask(async (id: string) => {
		await unblock(chat.session, id);
		pages.set(pages.items.filter((one) => one.user.id !== id));
	});
	return (
		<>
			<p class="note">They can't write to you directly, and aren't told. Block somebody from the menu of a conversation with them.</p>
			<Refusal failure={pages.failure ?? lift.failure} />
			{!pages.busy && !pages.failure && !pages.items.length && <p class="note">You have blocked nobody.</p>}
			<ul class="rows" aria-busy={pages.busy} aria-label="Blocked people">
				{pages.items.map(({ user }) => (
					<li class="item" key={user.id} data-testid="blocked">
						<Avatar id={user.id} name={nameOf(user)} />
						<span class="item-text">
							<strong>{nameOf(user)}</strong>
							<span>@{user.username}</span>
						</span>
						<button class="link" type="button" aria-label={`Unblock ${nameOf(user)}`} data-testid="blocked-lift" onClick={() => void lift.run(user.id)}>
							Unblock
						</button>
					</li>
				))}
			</ul>
			<More pages={pages} />
		</>
	);
}
