// Leaving for good.

import { useRef } from "preact/hooks";
import type { Chat } from "../chat";
import { deleteMe } from "../net/account";
import { Confirm, Field, Refusal, wrongOf } from "../ui/form";
import { useTask } from "../ui/task";

export function OwnData({ chat }: { chat: Chat }) {
	const form = useRef<HTMLFormElement>(null);
	const remove = useTask((password: string) => deleteMe(chat.session, password));
	const run = () => void remove.run(String(new FormData(form.current!).get("delete-password") ?? ""));
	return (
		<form ref={form} class="form" onSubmit={(event) => event.preventDefault()} noValidate>
			<h2>Delete my account</h2>
			<p class="note">What you said stays, without your name. Nobody can have your username again, and neither can you.</p>
			<Refusal failure={remove.failure} />
			<Field
				id="delete-password"
				label="Your password"
				type="password"
				autocomplete="current-password"
				testid="delete-password"
				error={wrongOf(remove.failure, "password")}
			/>
			<Confirm label="Delete my account" question="Delete it for good?" confirm="Delete" testid="delete-me" busy={remove.busy} onConfirm={run} />
		</form>
	);
}
