// The accounts of the server: found by name, disabled and enabled, made administrators, given a password for once, deleted.

import { useSignal } from "@preact/signals";
import { type Chat, nameOf } from "../chat";
import { type Account, changeAccount, deleteAccount, listAccounts, resetPassword } from "../net/admin";
import { Avatar } from "../ui/avatar";
import { Refusal } from "../ui/form";
import { MoreIcon } from "../ui/icons";
import { Menu, type MenuItem } from "../ui/menu";
import { useTask } from "../ui/task";
import { fullTimeOf } from "../ui/time";
import { More, usePages } from "./pages";
import { Question } from "./question";
import { Secret } from "./secret";

const STATES: Record<string, string> = { all: "All", active: "Active", disabled: "Disabled", deleted: "Deleted" };

export function Accounts({ chat }: { chat: Chat }) {
	const { session } = chat;
	const query = useSignal("");
	const state = useSignal("all");
	const asking = useSignal<Question | null>(null);
	const secret = useSignal<{ name: string; password: string; expires_at: string } | null>(null);
	const asked = query.value.trim();
	const pages = usePages(`${state.value} ${asked}`, (cursor) => listAccounts(session, asked, state.value, cursor));

	const act = useTask(async (run: () => Promise<unknown>) => {
		asking.value = null;
		await run();
	});
	const put = (next: Account) => pages.set(pages.items.map((one) => (one.id === next.id ? next : one)));
	const change = (one: Account, what: Parameters<typeof changeAccount>[2]) => async () => put(await changeAccount(session, one.id, what));
	const ask = (text: string, confirm: string, run: () => Promise<unknown>) => () => (asking.value = { text, confirm, run });

	const itemsFor = (one: Account): MenuItem[] => {
		if (one.state === "deleted") return [];
		const who = nameOf(one);
		const reset = async () => void (secret.value = { name: who, ...(await resetPassword(session, one.id)) });
		const remove = async () => {
			await deleteAccount(session, one.id);
			pages.set(pages.items.filter((other) => other.id !== one.id));
		};
		return [
			one.role === "admin"
				? { label: "Take administration away", testid: "account-demote", run: () => void act.run(change(one, { role: "member" })) }
				: { label: "Make administrator…", testid: "account-promote", run: ask(`Make ${who} an administrator of this server?`, "Make administrator", change(one, { role: "admin" })) },
			{ label: "New password for once…", testid: "account-reset", run: ask(`Give ${who} a password for one log-in? All their devices are logged out.`, "Reset password", reset) },
			one.state === "disabled"
				? { label: "Enable", testid: "account-enable", run: () => void act.run(change(one, { disabled: false })) }
				: { label: "Disable…", testid: "account-disable", danger: true, run: ask(`Disable ${who}? They are logged out everywhere until you enable them.`, "Disable", change(one, { disabled: true })) },
			{ label: "Delete…", testid: "account-delete", danger: true, run: ask(`Delete ${who} for good? What they said stays, without their name.`, "Delete", remove) },
		];
	};
	return (
		<>
			<div class="field-row">
				<input
					type="search"
					aria-label="Find a person"
					placeholder="Find a person"
					autocomplete="off"
					data-testid="accounts-search"
					value={query.value}
					onInput={(event) => (query.value = event.currentTarget.value)}
				/>
				<select aria-label="Which" data-testid="accounts-state" value={state.value} onChange={(event) => (state.value = event.currentTarget.value)}>
					{Object.entries(STATES).map(([id, label]) => (
						<option key={id} value={id}>
							{label}
						</option>
					))}
				</select>
			</div>
			<Refusal failure={pages.failure ?? act.failure} />
			{secret.value && (
				<>
					<Secret label={`The password for ${secret.value.name}`} secret={secret.value.password} testid="account-password" />
					<p data-testid="account-password-until">They can log in with it until {fullTimeOf(secret.value.expires_at)}.</p>
				</>
			)}
			<Question asking={asking.value} onYes={(run) => void act.run(run)} onNo={() => (asking.value = null)} />
			<ul class="rows" aria-busy={pages.busy} aria-label="People">
				{pages.items.map((one) => (
					<li class="item" key={one.id} data-testid="account" data-state={one.state}>
						<Avatar id={one.id} name={nameOf(one)} />
						<span class="item-text">
							<strong>{nameOf(one)}</strong>
							<span>@{one.username}</span>
						</span>
						<span class="role">{[one.role === "admin" && "Administrator", one.state !== "active" && STATES[one.state]].filter(Boolean).join(", ")}</span>
						{one.state !== "deleted" && (
							<Menu label={`What to do with ${nameOf(one)}`} testid="account-menu" items={itemsFor(one)}>
								<MoreIcon />
							</Menu>
						)}
					</li>
				))}
			</ul>
			<More pages={pages} />
		</>
	);
}
