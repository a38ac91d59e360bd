// A group: its name, who is in it, and what one's role allows: rename, add, remove, hand over, leave, delete.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Chat } from "../chat";
import type { ConversationStream } from "../core/stream";
import type { User } from "../core/types";
import { addMembers, changeGroup, deleteGroup, removeMember } from "../net/groups";
import { Dialog } from "../ui/dialog";
import { Confirm, Field, Refusal, Submit, wrongOf } from "../ui/form";
import { useTask } from "../ui/task";
import { Members } from "./members";
import { PeoplePicker } from "./people_picker";

const SLOW_MODES: [number, string][] = [
	[0, "Off"],
	[5, "5 seconds"],
	[30, "30 seconds"],
	[60, "1 minute"],
	[300, "5 minutes"],
	[900, "15 minutes"],
	[3600, "1 hour"],
];

export function Group(props: { chat: Chat; conversationId: string; onClose(): void }) {
	const { chat } = props;
	chat.version.value;
	const adding = useSignal(false);
	const stream = chat.replica.streams.get(props.conversationId);
	const gone = !stream?.conversation;

	useEffect(() => {
		if (gone) props.onClose();
	}, [gone]);
	if (gone) return null;
	if (adding.value) {
		const back = () => (adding.value = false);
		return (
			<Dialog key="add" title="Add people" testid="group-add-people" onClose={props.onClose} onBack={back}>
				<AddPeople chat={chat} stream={stream} onDone={back} />
			</Dialog>
		);
	}
	const role = chat.roleIn(stream);
	const manages = role === "owner" || role === "admin";
	return (
		<Dialog key="group" title={chat.titleOf(stream)} testid="group" onClose={props.onClose}>
			{manages && <Rename chat={chat} stream={stream} />}
			<div class="section-head">
				<h2 data-testid="group-count">{membersOf(stream.conversation?.member_count ?? 0)}</h2>
				{manages && (
					<button class="link" type="button" data-testid="group-add" onClick={() => (adding.value = true)}>
						Add people
					</button>
				)}
			</div>
			<Members chat={chat} stream={stream} role={role} />
			<Ends chat={chat} stream={stream} role={role} />
		</Dialog>
	);
}

export function membersOf(count: number): string {
	return count === 1 ? "1 member" : `${count} members`;
}

function Rename({ chat, stream }: { chat: Chat; stream: ConversationStream }) {
	chat.version.value;
	const form = useRef<HTMLFormElement>(null);
	const saved = useSignal(false);
	const slow = stream.conversation?.slow_mode_s ?? 0;
	const save = useTask((title: string, seconds: number) => {
		const change = { ...(title === stream.title ? {} : { title }), ...(seconds === slow ? {} : { slow_mode_s: seconds }) };
		return Object.keys(change).length ? changeGroup(chat.session, stream.id, change) : Promise.resolve();
	});
	const submit = async (event: Event) => {
		event.preventDefault();
		const given = new FormData(form.current!);
		saved.value = false;
		saved.value = await save.run(String(given.get("title") ?? "").trim(), Number(given.get("slow") ?? 0));
	};
	const known = SLOW_MODES.some(([seconds]) => seconds === slow);
	return (
		<form ref={form} class="form" onSubmit={submit} noValidate>
			<Refusal failure={save.failure} />
			<Field id="title" label="Name" testid="group-title" value={stream.title ?? ""} maxLength={128} error={wrongOf(save.failure, "title")} />
			<div class="field">
				<label for="slow">Slow mode</label>
				<select id="slow" name="slow" data-testid="group-slow" aria-describedby="slow-note">
					{[...SLOW_MODES, ...(known ? [] : [[slow, `${slow} seconds`] as [number, string]])].map(([seconds, label]) => (
						<option key={seconds} value={seconds} selected={seconds === slow}>
							{label}
						</option>
					))}
				</select>
				<p id="slow-note">How long a member waits between two messages.</p>
			</div>
			<Submit busy={save.busy} testid="group-save">
				Save
			</Submit>
			<p class="done" role="status">
				{saved.value && "Saved."}
			</p>
		</form>
	);
}

function AddPeople(props: { chat: Chat; stream: ConversationStream; onDone(): void }) {
	const { chat, stream } = props;
	chat.version.value;
	const chosen = useSignal<User[]>([]);
	const present = new Set(stream.present());
	const add = useTask(() => addMembers(chat.session, stream.id, chosen.value.map((one) => one.id)));
	const submit = async (event: Event) => {
		event.preventDefault();
		if (chosen.value.length && (await add.run())) props.onDone();
	};
	return (
		<form class="form" onSubmit={submit} noValidate>
			<p class="note">They see everything that has been said here.</p>
			<Refusal failure={add.failure} />
			<PeoplePicker chat={chat} chosen={chosen.value} without={(id) => present.has(id)} onChange={(next) => (chosen.value = next)} />
			<Submit busy={add.busy} testid="group-add-done" disabled={!chosen.value.length}>
				{chosen.value.length ? `Add ${chosen.value.length}` : "Add"}
			</Submit>
		</form>
	);
}

function Ends({ chat, stream, role }: { chat: Chat; stream: ConversationStream; role: string }) {
	const me = chat.session.user.id;
	const leave = useTask(() => removeMember(chat.session, stream.id, me));
	const remove = useTask(() => deleteGroup(chat.session, stream.id));
	return (
		<div class="ends">
			<Refusal failure={leave.failure ?? remove.failure} />
			<Confirm
				label="Leave the group"
				question="Leave? You can't read it any more."
				confirm="Leave"
				testid="group-leave"
				busy={leave.busy}
				onConfirm={() => void leave.run()}
			/>
			{role === "owner" && (
				<Confirm
					label="Delete the group"
					question="Delete it with all messages, for everyone?"
					confirm="Delete"
					testid="group-delete"
					busy={remove.busy}
					onConfirm={() => void remove.run()}
				/>
			)}
		</div>
	);
}
