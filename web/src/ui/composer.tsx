// Where a message is written, answered or edited. Enter sends, Shift+Enter makes a new line, Escape leaves an answer or an
// edit, the up arrow in an empty field edits one's last message. A draft stays with its conversation.

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { type Chat, type Intent, nameOf } from "../chat";
import { CloseIcon, SendIcon } from "./icons";

const CODE_POINTS_MAX = 4000;
const BYTES_MAX = 16 * 1024;
const COUNT_FROM = 3600; // from here on the room that is left is shown

export function Composer(props: { chat: Chat; lane: string; title: string }) {
	const { chat, lane } = props;
	const text = useSignal(chat.drafts.get(lane) ?? "");
	const field = useRef<HTMLTextAreaElement>(null);
	const intent = chat.intent.value?.lane === lane ? chat.intent.value : null;
	const editing = intent?.kind === "edit" ? intent.message : null;
	const content = clean(text.value);
	const length = [...content].length;
	const tooLong = length > CODE_POINTS_MAX || new TextEncoder().encode(content).length > BYTES_MAX;

	useEffect(() => {
		if (matchMedia("(hover: hover)").matches) field.current?.focus();
		return () => {
			if (chat.intent.value?.lane === lane) chat.intent.value = null;
		};
	}, []);

	useLayoutEffect(() => {
		text.value = editing ? (editing.content ?? "") : (chat.drafts.get(lane) ?? "");
		if (intent) field.current?.focus();
	}, [intent]);

	useLayoutEffect(() => {
		const area = field.current!;
		area.style.height = "auto";
		area.style.height = `${area.scrollHeight}px`;
	}, [text.value]);

	const write = (next: string) => {
		const stream = chat.current.value;
		if (stream && next.length > text.value.length && !editing) chat.telling.typing(stream.id);
		if (!next) chat.telling.sent();
		text.value = next;
		if (!editing) chat.drafts.set(lane, next);
	};
	const leave = () => {
		chat.intent.value = null;
		field.current?.focus();
	};

	const send = () => {
		const to = chat.address();
		if (!to || !content || tooLong) return;
		if (editing) {
			if (content !== editing.content) chat.change(editing, { action: "edit", content });
		} else {
			chat.outbox.add(to, content, intent?.message.id);
			write("");
		}
		leave();
	};

	const onKeyDown = (event: KeyboardEvent) => {
		if (event.isComposing) return;
		if (event.key === "Enter" && !event.shiftKey) send();
		else if (event.key === "Escape" && intent) leave();
		else if (event.key === "ArrowUp" && !text.value && !intent) editLast(chat, lane);
		else return;
		event.preventDefault();
	};

	return (
		<form
			class="composer"
			onSubmit={(event) => {
				event.preventDefault();
				send();
			}}
		>
			{intent && <IntentBar chat={chat} intent={intent} onLeave={leave} />}
			<textarea
				ref={field}
				rows={1}
				placeholder="Write a message"
				aria-label={editing ? "The message, edited" : `Message to ${props.title}`}
				aria-describedby="composer-note"
				aria-invalid={tooLong || undefined}
				data-testid="composer-input"
				value={text.value}
				onInput={(event) => write(event.currentTarget.value)}
				onKeyDown={onKeyDown}
			/>
			<button
				class="send"
				type="submit"
				aria-label={editing ? "Save" : "Send"}
				title={editing ? "Save (Enter)" : "Send (Enter)"}
				data-testid="composer-send"
				disabled={!content || tooLong}
			>
				<SendIcon />
			</button>
			<p id="composer-note" class={tooLong ? "composer-note wrong" : "composer-note"} role="status">
				{tooLong && length <= CODE_POINTS_MAX ? "This message is too long." : length >= COUNT_FROM && `${length} of ${CODE_POINTS_MAX} characters`}
			</p>
		</form>
	);
}

/** Says what is answered or edited. */
function IntentBar({ chat, intent, onLeave }: { chat: Chat; intent: Intent; onLeave(): void }) {
	const { message } = intent;
	const sender = chat.replica.streams.get(message.conversation_id)?.members.get(message.sender_id);
	const who = message.sender_id === chat.session.user.id ? "yourself" : sender ? nameOf(sender) : "a message";
	return (
		<div class="intent" role="status" data-testid="composer-intent">
			<strong>{intent.kind === "edit" ? "Edit message" : `Reply to ${who}`}</strong>
			<span dir="auto">{message.content}</span>
			<button class="icon-button" type="button" aria-label={intent.kind === "edit" ? "Leave it as it was" : "Don't reply"} onClick={onLeave}>
				<CloseIcon />
			</button>
		</div>
	);
}

function editLast(chat: Chat, lane: string): void {
	const message = chat.current.value
		?.messages()
		.filter((row) => row.sender_id === chat.session.user.id && !row.deleted)
		.at(-1);
	if (message) chat.edit(lane, message);
}

/** What the server takes: no control characters but new line and tab, nothing blank at the ends. */
function clean(text: string): string {
	return text
		.replace(/\r\n?/g, "\n")
		.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "")
		.replace(/^\s*\n|\s+$/g, "");
}
