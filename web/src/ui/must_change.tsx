// After a log-in with a password for once: nothing else is served before another one is chosen.

import { changing, enter } from "../app";
import { PasswordForm } from "./password_form";
import { Logo } from "./icons";

export function MustChange() {
	const { session, password } = changing.value!;
	const done = () => {
		session.became({ ...session.user, must_change_password: false });
		changing.value = null;
		enter(session);
	};
	return (
		<main class="auth">
			<div class="auth-card" data-testid="must-change">
				<Logo />
				<h1>Choose a new password</h1>
				<p class="auth-lead">The one you have logged in with was for once.</p>
				<PasswordForm session={session} submit="Go on" onDone={done} {...(password ? { current: password } : {})} />
			</div>
		</main>
	);
}
