// What can be done with a message: a bar that shows while one is on it, and what unfolds below it: the reactions to choose
// from, or the question before it is deleted.

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Chat } from "../chat";
import type { StoredMessage } from "../core/types";
import { EditIcon, EyeIcon, ReplyIcon, SmileIcon, TrashIcon } from "./icons";
import { toggleReaction } from "./reactions";

export type Opened = "" | "react" | "delete";

const CHOICE = [
	["👍", "Thumbs up"],
	["❤️", "Heart"],
	["😂", "Laughing"],
	["🎉", "Party"],
	["😮", "Surprised"],
	["😢", "Sad"],
	["🙏", "Thank you"],
	["👀", "Looking"],
] as const;

interface ActionsProps {
	chat: Chat;
	lane: string;
	row: StoredMessage;
	opened: Opened;
	onOpen(opened: Opened): void;
}

export function Actions({ chat, lane, row, opened, onOpen }: ActionsProps) {
	const mine = row.sender_id === chat.session.user.id;
	const toggle = (what: Opened) => () => onOpen(opened === what ? "" : what);
	return (
		<div class="actions">
			<button type="button" title="React" aria-label="React" aria-expanded={opened === "react"} data-testid="message-react" onClick={toggle("react")}>
				<SmileIcon />
			</button>
			<button type="button" title="Reply" aria-label="Reply" data-testid="message-reply" onClick={() => (chat.intent.value = { kind: "reply", lane, message: row })}>
				<ReplyIcon />
			</button>
			{mine && (
				<button type="button" title="Edit" aria-label="Edit" data-testid="message-edit" onClick={() => chat.edit(lane, row)}>
					<EditIcon />
				</button>
			)}
			{mine && (
				<button
					type="button"
					title="Read by"
					aria-label="Read by"
					data-testid="message-readers"
					onClick={() => (chat.panel.value = { kind: "readers", message: row })}
				>
					<EyeIcon />
				</button>
			)}
			{mine && (
				<button type="button" title="Delete" aria-label="Delete" aria-expanded={opened === "delete"} data-testid="message-delete" onClick={toggle("delete")}>
					<TrashIcon />
				</button>
			)}
		</div>
	);
}

export function Unfolded({ chat, row, opened, onOpen }: ActionsProps) {
	const box = useRef<HTMLDivElement>(null);

	useLayoutEffect(() => {
		const first = box.current!.querySelector("button")!;
		first.focus();
		box.current!.scrollIntoView({ block: "nearest" });
	}, [opened]);

	const close = () => {
		box.current?.closest<HTMLElement>(".entry")?.focus();
		onOpen("");
	};
	const onKeyDown = (event: KeyboardEvent) => {
		if (event.key === "Escape") close();
		else if (event.key === "ArrowRight" || event.key === "ArrowLeft") walk(event, box.current!);
		else return;
		event.stopPropagation();
	};

	if (opened === "delete") {
		return (
			<div class="unfolded" ref={box} role="group" aria-label="Delete this message?" data-testid="delete-question" onKeyDown={onKeyDown}>
				<span>Delete for everyone?</span>
				<button class="link" type="button" data-testid="delete-confirm" onClick={() => (close(), chat.change(row, { action: "delete" }))}>
					Delete
				</button>
				<button class="link" type="button" onClick={close}>
					Keep
				</button>
			</div>
		);
	}
	return (
		<div class="unfolded picker" ref={box} role="toolbar" aria-label="Choose a reaction" data-testid="reaction-picker" onKeyDown={onKeyDown}>
			{CHOICE.map(([emoji, name]) => (
				<button key={emoji} type="button" title={name} aria-label={name} onClick={() => (close(), toggleReaction(chat, row, emoji))}>
					{emoji}
				</button>
			))}
		</div>
	);
}

function walk(event: KeyboardEvent, box: HTMLElement): void {
	const buttons = [...box.querySelectorAll("button")];
	const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
	const next = buttons[at + (event.key === "ArrowRight" ? 1 : -1)];
	event.preventDefault();
	next?.focus();
}
