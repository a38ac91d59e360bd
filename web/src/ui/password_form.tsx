// Another password instead of the present one.

import { useRef } from "preact/hooks";
import { Failure } from "../core/types";
import { changePassword } from "../net/account";
import type { Session } from "../net/session";
import { Field, Refusal, Submit, wrongOf } from "./form";
import { useTask } from "./task";

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
