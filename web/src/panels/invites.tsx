// Who may sign up: everybody, those with an invitation, or nobody; and the invitations.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Chat } from "../chat";
import { type Invite, listInvites, makeInvite, readSignUp, revokeInvite, setSignUp, type SignUp } from "../net/admin";
import { Confirm, empty, Field, Refusal, Submit, wrongOf } from "../ui/form";
import { useAnswer, useTask } from "../ui/task";
import { agoOf, dateOf } from "../ui/time";
import { More, usePages } from "./pages";
import { Secret } from "./secret";

const DAY_S = 86_400;
const WHO: [SignUp, string][] = [
	["open", "Everybody may sign up"],
	["invite", "Only with an invitation"],
	["closed", "Nobody may sign up"],
];

export function Invites({ chat }: { chat: Chat }) {
	const { session } = chat;
	const code = useSignal("");
	const signUp = useAnswer(() => readSignUp(session));
	const invites = usePages("", (cursor) => listInvites(session, cursor));
	const set = useTask(async (who: SignUp) => signUp.set(await setSignUp(session, who)));
	const revoke = useTask(async (id: string) => {
		await revokeInvite(session, id);
		invites.set(invites.items.map((one) => (one.id === id ? { ...one, state: "revoked" as const } : one)));
	});
	const onMade = ({ code: made, ...invite }: Invite & { code: string }) => {
		code.value = `${location.origin}/#invite=${made}`;
		invites.set([invite, ...invites.items]);
	};
	return (
		<>
			<Refusal failure={signUp.failure ?? set.failure} />
			<fieldset class="choices" disabled={!signUp.answer || set.busy}>
				<legend>Who may sign up</legend>
				{WHO.map(([id, label]) => (
					<label key={id} class="pick">
						<input type="radio" name="sign-up" value={id} checked={signUp.answer === id} data-testid={`sign-up-${id}`} onChange={() => void set.run(id)} />
						{label}
					</label>
				))}
			</fieldset>
			<h2>Invitations</h2>
			<p class="note">Each is a link for one person.</p>
			{code.value && <Secret label="The invitation" secret={code.value} testid="invite-link" />}
			<MakeInvite chat={chat} onMade={onMade} />
			<Refusal failure={invites.failure ?? revoke.failure} />
			<ul class="rows" aria-busy={invites.busy} aria-label="Invitations">
				{invites.items.map((invite) => (
					<InviteRow key={invite.id} invite={invite} busy={revoke.busy} onRevoke={() => void revoke.run(invite.id)} />
				))}
			</ul>
			<More pages={invites} />
		</>
	);
}

function MakeInvite(props: { chat: Chat; onMade(invite: Invite & { code: string }): void }) {
	const form = useRef<HTMLFormElement>(null);
	const make = useTask(async (note: string, days: number) => props.onMade(await makeInvite(props.chat.session, note, days * DAY_S)));
	const submit = async (event: Event) => {
		event.preventDefault();
		const given = new FormData(form.current!);
		if (await make.run(String(given.get("note") ?? "").trim(), Number(given.get("invite-days")))) empty(form.current, "note");
	};
	return (
		<form ref={form} class="form" onSubmit={submit} noValidate>
			<Refusal failure={make.failure} />
			<Field id="note" label="For whom (a note for administrators)" testid="invite-note" maxLength={200} error={wrongOf(make.failure, "note")} />
			<div class="field">
				<label for="invite-days">Good for</label>
				<select id="invite-days" name="invite-days">
					{[1, 7, 30].map((days) => (
						<option key={days} value={days} selected={days === 7}>
							{days === 1 ? "1 day" : `${days} days`}
						</option>
					))}
				</select>
			</div>
			<Submit busy={make.busy} testid="invite-make">
				Make an invitation
			</Submit>
		</form>
	);
}

function InviteRow(props: { invite: Invite; busy: boolean; onRevoke(): void }) {
	const { invite } = props;
	const name = invite.note || "Invitation";
	return (
		<li class="item" data-testid="invite" data-state={invite.state}>
			<span class="item-text">
				<strong>{name}</strong>
				<span>
					Made {agoOf(invite.created_at)}
					{invite.state === "open" && ` · good until ${dateOf(invite.expires_at)}`}
				</span>
			</span>
			{invite.state === "open" ? (
				<Confirm label="Revoke" about={name} question="Take it back?" confirm="Revoke" testid="invite-revoke" busy={props.busy} onConfirm={props.onRevoke} />
			) : (
				<span class="role">{invite.state}</span>
			)}
		</li>
	);
}
