// The messages of the open conversation: grouped by sender and day, with what is still on its way at the end.
//
// Older pages are read when one scrolls up to them; what is in view stays where it is. At the end one is kept at the end.

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { Chat } from "../chat";
import { floorOf } from "../core/floor";
import type { ConversationStream } from "../core/stream";
import { Failure } from "../core/types";
import type { Opened } from "./actions";
import { arrange } from "./arrange";
import { Entry } from "./entry";
import { DownIcon } from "./icons";
import { Typing } from "./typing";

const NEAR_END_PX = 80;
const NEAR_START_PX = 400;

export function MessageList(props: { chat: Chat; stream: ConversationStream | null; title: string; lane: string }) {
	const { chat, stream, lane } = props;
	chat.version.value;
	const me = chat.session.user.id;
	const peer = stream && chat.peerOf(stream);
	const items = arrange({
		messages: stream?.messages() ?? [],
		outgoing: chat.outgoing(lane),
		changes: chat.changes.entries,
		me,
		find: (id) => stream?.find(id),
		floor: stream && floorOf(stream),
		hasReceipts: !peer || !chat.blocks.has(peer.user_id),
	});
	const opened = useSignal<{ id: string; what: Opened }>({ id: "", what: "" });
	const box = useRef<HTMLDivElement>(null);
	const loading = useSignal<"no" | "yes" | "failed">("no");
	const atEnd = useSignal(true);
	const anchor = useRef<Anchor | null>(null);
	const last = items[items.length - 1];
	const hasMore = stream !== null && (stream.low === null ? stream.known !== null : stream.hasMoreBefore);

	const load = async () => {
		if (!stream || !hasMore || loading.value === "yes") return;
		loading.value = "yes";
		try {
			await chat.replica.older(stream.id);
			loading.value = "no";
		} catch (error) {
			if (!(error instanceof Failure)) throw error;
			loading.value = "failed";
		}
	};
	const loadWhenNear = () => {
		const view = box.current!;
		if (loading.value === "no" && (stream?.low === null || view.scrollTop < NEAR_START_PX)) void load();
	};

	// One's own message brings one back to the end.
	const newestOwn = last?.mine ? last.id : "";
	useLayoutEffect(() => {
		if (newestOwn) atEnd.value = true;
	}, [newestOwn]);

	useLayoutEffect(() => {
		const view = box.current!;
		if (atEnd.value) view.scrollTop = view.scrollHeight;
		else if (anchor.current) {
			const element = view.querySelector<HTMLElement>(`[data-id="${anchor.current.id}"]`);
			if (element) view.scrollTop += element.offsetTop - anchor.current.top;
		}
		anchor.current = firstInView(view);
	});

	useEffect(() => {
		if (stream && atEnd.value) chat.markRead(stream);
		for (const item of items) {
			if (stream && item.replyToId && !item.quoted) chat.readQuoted(stream.id, item.replyToId);
		}
		loadWhenNear();
	});

	useEffect(() => {
		chat.reread();
	}, [stream?.id, chat.link.value]);

	useEffect(() => {
		const view = box.current!;
		const observer = new ResizeObserver(() => {
			if (atEnd.value) view.scrollTop = view.scrollHeight;
		});
		observer.observe(view);
		return () => observer.disconnect();
	}, []);

	const onScroll = () => {
		const view = box.current!;
		atEnd.value = view.scrollHeight - view.scrollTop - view.clientHeight < NEAR_END_PX;
		anchor.current = firstInView(view);
		loadWhenNear();
	};
	/** Goes to a message, reading the older pages up to it. */
	const goTo = async (seq: number) => {
		while (stream && stream.low !== null && stream.low > seq && stream.hasMoreBefore) {
			if (await chat.replica.older(stream.id).then(() => false, () => true)) return;
		}
		atEnd.value = false;
		chat.version.value++;
		requestAnimationFrame(() => {
			const entry = box.current?.querySelector(`[data-seq="${seq}"]`)?.closest<HTMLElement>(".entry");
			entry?.scrollIntoView({ block: "center" });
			entry?.focus();
		});
	};
	const toEnd = () => {
		atEnd.value = true;
		box.current!.scrollTop = box.current!.scrollHeight;
	};

	return (
		<div class="messages-frame">
			<div
				ref={box}
				class="messages"
				role="log"
				aria-label={`Messages with ${props.title}`}
				aria-busy={loading.value === "yes"}
				tabIndex={0}
				data-testid="message-list"
				onScroll={onScroll}
				onKeyDown={(event) => walk(event, box.current!)}
			>
				<Start chat={chat} stream={stream} title={props.title} empty={!items.length} hasMore={hasMore} loading={loading.value} onLoad={load} />
				{items.map((item) => (
					<Entry
						key={item.id}
						chat={chat}
						lane={lane}
						item={item}
						sender={stream?.members.get(item.senderId)}
						quotedSender={item.quoted ? stream?.members.get(item.quoted.sender_id) : undefined}
						group={stream?.conversation?.kind === "group"}
						opened={opened.value.id === item.id ? opened.value.what : ""}
						onOpen={(what) => (opened.value = { id: item.id, what })}
						onQuote={(seq) => void goTo(seq)}
					/>
				))}
			</div>
			{stream && <Typing chat={chat} stream={stream} />}
			{!atEnd.value && (
				<button class="to-end" type="button" onClick={toEnd} aria-label="To the newest message">
					{stream && chat.unread(stream) > 0 && <span>New messages</span>}
					<DownIcon />
				</button>
			)}
		</div>
	);
}

/** The arrow keys walk from message to message; Tab leads on to what can be done with one, Escape to the field. */
function walk(event: KeyboardEvent, view: HTMLElement): void {
	if (event.key === "Escape") return view.closest("main")?.querySelector("textarea")?.focus();
	if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
	const entries = [...view.querySelectorAll<HTMLElement>(".entry")];
	const at = entries.indexOf((document.activeElement as HTMLElement).closest<HTMLElement>(".entry")!);
	const next = at < 0 ? entries[entries.length - 1] : entries[at + (event.key === "ArrowDown" ? 1 : -1)];
	if (!next) return;
	event.preventDefault();
	next.focus();
}

interface Anchor {
	id: string;
	top: number;
}

/** The first message in view; the children lie one below the other. */
function firstInView(view: HTMLElement): Anchor | null {
	const children = view.children as HTMLCollectionOf<HTMLElement>;
	let low = 0;
	let high = children.length;
	while (low < high) {
		const middle = (low + high) >> 1;
		if (children[middle]!.offsetTop < view.scrollTop) low = middle + 1;
		else high = middle;
	}
	while (low < children.length && !children[low]!.dataset["id"]) low++;
	const element = children[low];
	return element ? { id: element.dataset["id"]!, top: element.offsetTop } : null;
}

function Start(props: {
	chat: Chat;
	stream: ConversationStream | null;
	title: string;
	empty: boolean;
	hasMore: boolean;
	loading: "no" | "yes" | "failed";
	onLoad(): void;
}) {
	if (props.loading === "failed") {
		return (
			<p class="messages-start">
				Older messages could not be read.{" "}
				<button class="link" type="button" onClick={props.onLoad}>
					Try again
				</button>
			</p>
		);
	}
	if (props.stream?.known === null) return <p class="messages-start">Loading…</p>;
	if (props.hasMore) return <p class="messages-start">{props.loading === "yes" ? "Loading…" : ""}</p>;
	if (!props.empty) return <p class="messages-start">This is where it began.</p>;
	return <p class="messages-start messages-none">Say hello to {props.title}.</p>;
}
