// Where a message is written. Enter sends, Shift+Enter makes a new line; a draft stays with its conversation.

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Chat } from "../chat";
import { SendIcon } from "./icons";

const CODE_POINTS_MAX = 4000;
const BYTES_MAX = 16 * 1024;
const COUNT_FROM = 3600; // from here on the room that is left is shown

export function Composer(props: { chat: Chat; lane: string; title: string }) {
	const { chat, lane } = props;
	const text = useSignal(chat.drafts.get(lane) ?? "");
	const field = useRef<HTMLTextAreaElement>(null);
	const content = clean(text.value);
	const length = [...content].length;
	const tooLong = length > CODE_POINTS_MAX || new TextEncoder().encode(content).length > BYTES_MAX;

	useEffect(() => {
		if (matchMedia("(hover: hover)").matches) field.current?.focus();
	}, []);

	useLayoutEffect(() => {
		const area = field.current!;
		area.style.height = "auto";
		area.style.height = `${area.scrollHeight}px`;
	}, [text.value]);

	const write = (next: string) => {
		text.value = next;
		chat.drafts.set(lane, next);
	};

	const send = () => {
		const to = chat.address();
		if (!to || !content || tooLong) return;
		chat.outbox.add(to, content);
		write("");
		field.current?.focus();
	};

	return (
		<form
			class="composer"
			onSubmit={(event) => {
				event.preventDefault();
				send();
			}}
		>
			<textarea
				ref={field}
				rows={1}
				placeholder="Write a message"
				aria-label={`Message to ${props.title}`}
				aria-describedby="composer-note"
				aria-invalid={tooLong || undefined}
				data-testid="composer-input"
				value={text.value}
				onInput={(event) => write(event.currentTarget.value)}
				onKeyDown={(event) => {
					if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
					event.preventDefault();
					send();
				}}
			/>
			<button class="send" type="submit" aria-label="Send" title="Send (Enter)" data-testid="composer-send" disabled={!content || tooLong}>
				<SendIcon />
			</button>
			<p id="composer-note" class={tooLong ? "composer-note wrong" : "composer-note"} role="status">
				{tooLong && length <= CODE_POINTS_MAX ? "This message is too long." : length >= COUNT_FROM && `${length} of ${CODE_POINTS_MAX} characters`}
			</p>
		</form>
	);
}

/** What the server takes: no control characters but new line and tab, nothing blank at the ends. */
function clean(text: string): string {
	return text
		.replace(/\r\n?/g, "\n")
		.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "")
		.replace(/^\s*\n|\s+$/g, "");
}
