// Making a group: what it is called and who is in it.

import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Chat } from "../chat";
import { newId } from "../core/id";
import { Failure, type User } from "../core/types";
import { addMembers, ADD_MAX, createGroup } from "../net/groups";
import { open } from "../ui/address";
import { Dialog } from "../ui/dialog";
import { Field, Refusal, Submit, wrongOf } from "../ui/form";
import { useTask } from "../ui/task";
import { PeoplePicker } from "./people_picker";

export function NewGroup(props: { chat: Chat; onClose(): void }) {
	const { chat } = props;
	const chosen = useSignal<User[]>([]);
	const form = useRef<HTMLFormElement>(null);
	// A try whose answer was lost is repeated under its own id; one that differs is another group.
	const tried = useRef({ what: "", id: "" });

	const create = useTask(async (title: string, ids: string[]) => {
		const what = JSON.stringify([title, ids]);
		if (tried.current.what !== what) tried.current = { what, id: newId(Date.now()) };
		const { id } = await createGroup(chat.session, tried.current.id, title, ids.slice(0, ADD_MAX));
		await addMembers(chat.session, id, ids.slice(ADD_MAX));
		open(chat, { conversationId: id, fresh: true });
	});
	const submit = (event: Event) => {
		event.preventDefault();
		const title = String(new FormData(form.current!).get("title") ?? "").trim();
		if (!title) return create.say(new Failure(0, "incomplete", "Give the group a name.", false, 0, [{ field: "title", detail: "" }]));
		return void create.run(title, chosen.value.map((one) => one.id));
	};
	return (
		<Dialog title="New group" testid="new-group" onClose={props.onClose}>
			<form ref={form} class="form" onSubmit={submit} noValidate>
				<Refusal failure={create.failure} />
				<Field id="title" label="Name of the group" testid="group-title" maxLength={128} error={wrongOf(create.failure, "title")} />
				<PeoplePicker
					chat={chat}
					chosen={chosen.value}
					without={(id) => id === chat.session.user.id}
					onChange={(next) => (chosen.value = next)}
				/>
				<Submit busy={create.busy} testid="group-create">
					{chosen.value.length ? `Create with ${chosen.value.length + 1} members` : "Create"}
				</Submit>
			</form>
		</Dialog>
	);
}
