// Access tokens for scripts: made, shown once, ended.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Chat } from "../chat";
import { Failure } from "../core/types";
import { type AccessToken, endToken, listTokens, makeToken, type NewAccessToken } from "../net/account";
import { Confirm, empty, Field, Refusal, Submit, wrongOf } from "../ui/form";
import { useAnswer, useTask } from "../ui/task";
import { agoOf, dateOf } from "../ui/time";
import { Secret } from "./secret";

const DAY_S = 86_400;
const LIVES = [7, 30, 90, 366]; // days

export function Tokens({ chat }: { chat: Chat }) {
	const { session } = chat;
	const tokens = useAnswer(() => listTokens(session));
	const made = useSignal<NewAccessToken | null>(null);
	const end = useTask(async (id: string) => {
		await endToken(session, id);
		if (made.value?.id === id) made.value = null;
		tokens.set((tokens.answer ?? []).filter((one) => one.id !== id));
	});
	const onMade = (token: NewAccessToken) => {
		made.value = token;
		tokens.set([token, ...(tokens.answer ?? [])]);
	};
	return (
		<>
			<p class="note">For scripts that speak for you. A token can do what you can, but for your password, log-ins and tokens.</p>
			{made.value && <Secret label={`The token “${made.value.name}”`} secret={made.value.token} testid="token-secret" />}
			<MakeToken chat={chat} onMade={onMade} />
			<h2>Your tokens</h2>
			<Refusal failure={tokens.failure ?? end.failure} />
			{tokens.answer?.length === 0 && <p class="note">You have none.</p>}
			<ul class="rows" aria-busy={!tokens.answer}>
				{tokens.answer?.map((token) => (
					<TokenRow key={token.id} token={token} busy={end.busy} onEnd={() => void end.run(token.id)} />
				))}
			</ul>
		</>
	);
}

function MakeToken(props: { chat: Chat; onMade(token: NewAccessToken): void }) {
	const form = useRef<HTMLFormElement>(null);
	const make = useTask(async (name: string, days: number) => props.onMade(await makeToken(props.chat.session, name, days * DAY_S)));
	const submit = async (event: Event) => {
		event.preventDefault();
		const given = new FormData(form.current!);
		const name = String(given.get("token-name") ?? "").trim();
		if (!name) return make.say(new Failure(0, "incomplete", "Say what the token is for.", false, 0, [{ field: "name", detail: "" }]));
		if (await make.run(name, Number(given.get("days")))) empty(form.current, "token-name");
	};
	return (
		<form ref={form} class="form" onSubmit={submit} noValidate>
			<Refusal failure={make.failure} />
			<Field id="token-name" label="What it is for" testid="token-name" maxLength={64} error={wrongOf(make.failure, "name")} />
			<div class="field">
				<label for="days">Good for</label>
				<select id="days" name="days" data-testid="token-days">
					{LIVES.map((days) => (
						<option key={days} value={days} selected={days === 90}>
							{days === 366 ? "1 year" : `${days} days`}
						</option>
					))}
				</select>
			</div>
			<Submit busy={make.busy} testid="token-make">
				Make a token
			</Submit>
		</form>
	);
}

function TokenRow(props: { token: AccessToken; busy: boolean; onEnd(): void }) {
	const { token } = props;
	return (
		<li class="item" data-testid="token">
			<span class="item-text">
				<strong>{token.name}</strong>
				<span>{token.prefix}…</span>
				<span>
					{token.last_used_at ? `Last used ${agoOf(token.last_used_at)}` : "Never used"} · good until {dateOf(token.expires_at)}
				</span>
			</span>
			<Confirm label="Revoke" about={token.name} question="End it for good?" confirm="Revoke" testid="token-revoke" busy={props.busy} onConfirm={props.onEnd} />
		</li>
	);
}
