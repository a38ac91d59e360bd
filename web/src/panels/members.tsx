// Who is in a group, page by page, with what one may do to each.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type Chat, nameOf } from "../chat";
import type { ConversationStream } from "../core/stream";
import type { Member } from "../core/types";
import { changeRole, listMembers, removeMember, type Role } from "../net/groups";
import { Avatar } from "../ui/avatar";
import { Refusal } from "../ui/form";
import { MoreIcon } from "../ui/icons";
import { Menu, type MenuItem } from "../ui/menu";
import { useTask } from "../ui/task";
import { Question } from "./question";

const ROLES: Record<string, string> = { owner: "Owner", admin: "Admin", member: "" };

export function Members({ chat, stream, role }: { chat: Chat; stream: ConversationStream; role: string }) {
	chat.version.value;
	const { session } = chat;
	const rows = useSignal<Member[]>([]);
	const cursor = useSignal<string | null>(null);
	const pages = useRef(1);
	const asking = useSignal<Question | null>(null);

	const read = useTask(async () => {
		const all: Member[] = [];
		let next: string | null = null;
		for (let page = 0; page < pages.current; page++) {
			const answer = await listMembers(session, stream.id, next);
			all.push(...answer.items);
			next = answer.next_cursor;
			if (next === null) break;
		}
		rows.value = all.filter((row) => !row.left_at);
		cursor.value = next;
	});
	const act = useTask(async (run: () => Promise<unknown>) => {
		asking.value = null;
		await run();
		await read.run();
	});

	// Somebody came, left or was given a role: who is shown is read again.
	const newest = Math.max(0, ...[...stream.members.values()].map((row) => row.rev));
	useEffect(() => void read.run(), [newest, stream.conversation?.member_count]);

	const remove = (row: Member) => ({
		text: `Remove ${nameOf(row)}? They can't read this any more.`,
		confirm: "Remove",
		run: () => removeMember(session, stream.id, row.user_id),
	});
	const handOver = (row: Member) => ({
		text: `Make ${nameOf(row)} the owner? You become an admin.`,
		confirm: "Hand over",
		run: () => changeRole(session, stream.id, row.user_id, "owner"),
	});
	const itemsFor = (row: Member): MenuItem[] => {
		const change = (to: Role) => () => void act.run(() => changeRole(session, stream.id, row.user_id, to));
		const owner = role === "owner";
		const items: MenuItem[] = [];
		if (row.user_id === session.user.id || row.role === "owner") return items;
		if (owner && row.role === "member") items.push({ label: "Make admin", testid: "member-make-admin", run: change("admin") });
		if (owner && row.role === "admin") items.push({ label: "Make ordinary member", testid: "member-make-member", run: change("member") });
		if (owner) items.push({ label: "Hand the group over…", testid: "member-hand-over", run: () => (asking.value = handOver(row)) });
		if (owner || (role === "admin" && row.role === "member")) {
			items.push({ label: "Remove…", testid: "member-remove", danger: true, run: () => (asking.value = remove(row)) });
		}
		return items;
	};

	return (
		<>
			<Refusal failure={read.failure ?? act.failure} />
			<Question asking={asking.value} onYes={(run) => void act.run(run)} onNo={() => (asking.value = null)} />
			<ul class="rows" aria-busy={read.busy} aria-label="Members">
				{rows.value.map((row) => (
					<MemberRow key={row.user_id} chat={chat} row={row} items={itemsFor(row)} />
				))}
			</ul>
			{cursor.value && (
				<button class="link" type="button" data-testid="members-more" onClick={() => (pages.current++, void read.run())}>
					Show more
				</button>
			)}
		</>
	);
}

function MemberRow({ chat, row, items }: { chat: Chat; row: Member; items: MenuItem[] }) {
	const me = row.user_id === chat.session.user.id;
	return (
		<li class="item" data-testid="member" data-role={row.role}>
			<Avatar id={row.user_id} name={nameOf(row)} />
			<span class="item-text">
				<strong>
					{nameOf(row)}
					{me && " (you)"}
				</strong>
				<span>@{row.username}</span>
			</span>
			<span class="role">{ROLES[row.role] ?? row.role}</span>
			{items.length > 0 && (
				<Menu label={`What to do with ${nameOf(row)}`} testid="member-menu" items={items}>
					<MoreIcon />
				</Menu>
			)}
		</li>
	);
}
