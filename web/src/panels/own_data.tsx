// What is one's own: taking it along, and leaving for good.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Chat } from "../chat";
import { deleteMe, exportMe } from "../net/account";
import { Confirm, Field, Refusal, wrongOf } from "../ui/form";
import { useTask } from "../ui/task";

export function OwnData({ chat }: { chat: Chat }) {
	return (
		<>
			<Export chat={chat} />
			<DeleteMe chat={chat} />
		</>
	);
}

function Export({ chat }: { chat: Chat }) {
	const rows = useSignal(0);
	const take = useTask(async () => {
		const link = document.createElement("a");
		link.href = URL.createObjectURL(await exportMe(chat.session, (count) => (rows.value = count)));
		link.download = `stonechat-${chat.session.user.username}.jsonl`;
		link.click();
		setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
	});
	return (
		<>
			<h2>Take it along</h2>
			<p class="note">Your profile, log-ins, memberships, blocks, and all you have said, as a file with one JSON object a line.</p>
			<Refusal failure={take.failure} />
			<button class="secondary start" type="button" data-testid="export" aria-busy={take.busy} disabled={take.busy} onClick={() => void take.run()}>
				{take.busy ? `${rows.value} so far…` : "Download"}
			</button>
		</>
	);
}

function DeleteMe({ chat }: { chat: Chat }) {
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
