// The name one is shown by, and the password.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Chat } from "../chat";
import { changeDisplayName } from "../net/account";
import type { Session } from "../net/session";
import { Field, Refusal, Submit, wrongOf } from "../ui/form";
import { PasswordForm } from "../ui/password_form";
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
