// The name one is shown by, and the password.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Chat } from "../chat";
import { Failure } from "../core/types";
import { changeDisplayName, changePassword } from "../net/account";
import type { Session } from "../net/session";
import { Field, Refusal, Submit, wrongOf } from "../ui/form";
import { useTask } from "../ui/task";

export function Account({ chat }: { chat: Chat }) {
	const { session } = chat;
	const done = useSignal("");
	return (
		<>
			<DisplayName session={session} onDone={() => (done.value = "Your name is changed.")} />
			<h2>Password</h2>
			<p class="note">Changing it logs out all your other devices and ends your access tokens.</p>
			<PasswordForm session={session} submit="Change password" onDone={() => (done.value = "Your password is changed.")} />
			<p class="done" role="status" data-testid="account-done">
				{done.value}
			</p>
		</>
	);
}

function DisplayName(props: { session: Session; onDone(): void }) {
	const { session } = props;
	const form = useRef<HTMLFormElement>(null);
	const save = useTask((name: string) => changeDisplayName(session, name));
	const submit = async (event: Event) => {
		event.preventDefault();
		const name = String(new FormData(form.current!).get("name") ?? "").trim();
		if (await save.run(name)) props.onDone();
	};
	return (
		<form ref={form} class="form" onSubmit={submit} noValidate>
			<Refusal failure={save.failure} />
			<Field
				id="name"
				label="Display name"
				autocomplete="name"
				testid="settings-name"
				value={session.user.display_name}
				maxLength={128}
				hint={`What others see. You are found by it, and by @${session.user.username}.`}
				error={wrongOf(save.failure, "display_name")}
			/>
			<Submit busy={save.busy} testid="settings-name-save">
				Save
			</Submit>
		</form>
	);
}

/** `current`: the password in use, when it is known already. */
export function PasswordForm(props: { session: Session; submit: string; current?: string; onDone(): void }) {
	const form = useRef<HTMLFormElement>(null);
	const change = useTask((current: string, next: string) => changePassword(props.session, current, next));
	const submit = async (event: Event) => {
		event.preventDefault();
		const given = new FormData(form.current!);
		const current = props.current ?? String(given.get("current") ?? "");
		const next = String(given.get("new") ?? "");
		if (!current || !next) return change.say(new Failure(0, "incomplete", "Enter the old password and the new one.", false));
		if (!(await change.run(current, next))) return;
		form.current?.reset();
		props.onDone();
	};
	return (
		<form ref={form} class="form" onSubmit={submit} noValidate>
			<Refusal failure={change.failure} />
			<input type="text" name="username" autocomplete="username" value={props.session.user.username} hidden readOnly />
			{props.current === undefined && (
				<Field
					id="current"
					label="Present password"
					type="password"
					autocomplete="current-password"
					testid="password-current"
					error={wrongOf(change.failure, "current_password")}
				/>
			)}
			<Field
				id="new"
				label="New password"
				type="password"
				autocomplete="new-password"
				testid="password-new"
				hint="At least 8 characters"
				error={wrongOf(change.failure, "new_password")}
			/>
			<Submit busy={change.busy} testid="password-save">
				{props.submit}
			</Submit>
		</form>
	);
}
