// What administrators have done: who, what, to whom, when, from where. Nobody can change it.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type Chat, nameOf } from "../chat";
import type { User } from "../core/types";
import { type AuditEntry, listAudit } from "../net/admin";
import { Refusal } from "../ui/form";
import { fullTimeOf } from "../ui/time";
import { More, usePages } from "./pages";

const ID = /^[0-9a-f]{8}-[0-9a-f-]{27}$/;

export function Audit({ chat }: { chat: Chat }) {
	const pages = usePages("", (cursor) => listAudit(chat.session, cursor));
	const name = useNames(chat, pages.items);
	return (
		<>
			<Refusal failure={pages.failure} />
			<ul class="rows" aria-busy={pages.busy} aria-label="Audit">
				{pages.items.map((entry) => (
					<li class="item" key={entry.id} data-testid="audit-entry" data-action={entry.action}>
						<span class="item-text">
							<strong>
								{entry.action.replace(/[._]/g, " ")}
								{entry.target && `: ${name(entry.target)}`}
							</strong>
							<span>
								by {name(entry.actor)} · <time dateTime={entry.at}>{fullTimeOf(entry.at)}</time>
								{entry.address && ` · ${entry.address}`}
							</span>
							{Object.keys(entry.detail).length > 0 && <code>{JSON.stringify(entry.detail)}</code>}
						</span>
					</li>
				))}
			</ul>
			{!pages.busy && !pages.failure && !pages.items.length && <p class="note">Nothing yet.</p>}
			<More pages={pages} />
		</>
	);
}

/** Names instead of ids, as far as there are people behind them. */
function useNames(chat: Chat, entries: AuditEntry[]): (id: string) => string {
	const names = useSignal<Record<string, string>>({ [chat.session.user.id]: nameOf(chat.session.user) });
	const ids = [...new Set(entries.flatMap((one) => [one.actor, one.target ?? ""]))].filter((id) => ID.test(id));
	useEffect(() => {
		for (const id of ids.filter((one) => names.value[one] === undefined)) {
			names.value = { ...names.value, [id]: id };
			chat.session.call<User>("GET", `/users/${id}`).then(
				(user) => (names.value = { ...names.value, [id]: nameOf(user) }),
				() => {}, // an invitation's id, or nobody's any more
			);
		}
	}, [ids.join()]);
	return (id) => names.value[id] ?? id;
}
