// Log in and sign up: one form, two ways.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { enter } from "../app";
import { Failure } from "../core/types";
import { Session } from "../net/session";
import { Field, Refusal, Submit, wrongOf } from "./form";
import { Logo } from "./icons";

export function AuthPage(props: { notice: string }) {
	const invited = useSignal(inviteInAddress());
	const joining = useSignal(!!invited.value);
	const busy = useSignal(false);
	const failure = useSignal<Failure | null>(null);
	const form = useRef<HTMLFormElement>(null);
	const signUp = joining.value;
	const wrong = (field: string) => wrongOf(failure.value, field);

	useEffect(() => {
		form.current?.querySelector("input")?.focus();
	}, [signUp]);

	async function submit(event: Event) {
		event.preventDefault();
		if (busy.value) return;
		const given = new FormData(form.current!);
		const text = (name: string) => String(given.get(name) ?? "");
		const username = text("username").trim();
		const password = text("password");
		if (!username || !password) {
			failure.value = new Failure(0, "incomplete", "Enter a username and a password.", false);
			return;
		}
		busy.value = true;
		failure.value = null;
		try {
			const session = await (signUp ? Session.signUp(username, password, text("display_name").trim(), text("invite_code").trim()) : Session.logIn(username, password));
			if (invited.value) history.replaceState(null, "", location.pathname);
			enter(session, password);
		} catch (error) {
			if (!(error instanceof Failure)) throw error;
			failure.value = error;
			busy.value = false;
		}
	}

	return (
		<main class="auth">
			<form ref={form} class="auth-card" onSubmit={submit} noValidate aria-labelledby="auth-title">
				<Logo />
				<h1 id="auth-title">{signUp ? "Create your account" : "Log in"}</h1>
				<p class="auth-lead">{signUp ? "Pick a name people can find you by." : "Your messages are where you left them."}</p>
				{props.notice && !failure.value && (
					<p class="auth-notice" role="status">
						{props.notice}
					</p>
				)}
				<Refusal failure={failure.value} testid="auth-error" />
				<Field
					id="username"
					label="Username"
					autocomplete="username"
					testid="auth-username"
					error={wrong("username")}
					{...(signUp ? { hint: "3 to 32 letters, digits, and single . _ - between them" } : {})}
				/>
				{signUp && (
					<Field
						id="display_name"
						label="Display name (optional)"
						autocomplete="name"
						testid="auth-display-name"
						error={wrong("display_name")}
					/>
				)}
				<Field
					id="password"
					label="Password"
					type="password"
					autocomplete={signUp ? "new-password" : "current-password"}
					testid="auth-password"
					error={wrong("password")}
					{...(signUp ? { hint: "At least 8 characters" } : {})}
				/>
				{signUp && (invited.value || failure.value?.code.startsWith("invite_")) && (
					<Field id="invite_code" label="Invitation code" testid="auth-invite" value={invited.value} error={wrong("invite_code")} />
				)}
				<Submit busy={busy.value} testid="auth-submit">
					{signUp ? "Sign up" : "Log in"}
				</Submit>
				<p class="auth-other">
					{signUp ? "Already here?" : "New here?"}{" "}
					<button
						class="link"
						type="button"
						data-testid="auth-switch"
						onClick={() => {
							joining.value = !signUp;
							failure.value = null;
						}}
					>
						{signUp ? "Log in" : "Create an account"}
					</button>
				</p>
			</form>
		</main>
	);
}

/** The code of a link that an administrator has handed out: /#invite=<code>. */
function inviteInAddress(): string {
	return /^#invite=([\w-]+)$/.exec(location.hash)?.[1] ?? "";
}
