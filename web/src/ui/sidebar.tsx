// The left pane: who one is, finding a person, and the conversations.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { type Chat, nameOf, type Selection } from "../chat";
import type { ConversationStream } from "../core/stream";
import { Failure, type User } from "../core/types";
import { findUsers } from "../net/source";
import { Avatar } from "./avatar";
import { GearIcon, GroupIcon, LeaveIcon, MutedIcon, SearchIcon } from "./icons";
import { Dot } from "./presence";
import { fullTimeOf, shortTimeOf } from "./time";
import { typingText } from "./typing";

const TYPING_MS = 200; // a pause this long, and the search is asked for

interface Found {
	query: string;
	people: User[];
	failed: boolean;
}

export function Sidebar(props: { chat: Chat; onOpen(selection: Selection): void }) {
	const { chat, onOpen } = props;
	const query = useSignal("");
	const found = useSignal<Found | null>(null);
	const root = useRef<HTMLElement>(null);
	const search = useRef<HTMLInputElement>(null);
	const asked = query.value.trim();

	useEffect(() => {
		if (!asked) {
			found.value = null;
			return undefined;
		}
		let wanted = true;
		const timer = setTimeout(async () => {
			const answer = await findPeople(chat, asked);
			if (wanted) found.value = answer;
		}, TYPING_MS);
		return () => {
			wanted = false;
			clearTimeout(timer);
		};
	}, [asked]);

	useEffect(() => {
		const onKey = (event: KeyboardEvent) => {
			if (event.key !== "k" || !(event.ctrlKey || event.metaKey)) return;
			event.preventDefault();
			search.current?.focus();
		};
		addEventListener("keydown", onKey);
		return () => removeEventListener("keydown", onKey);
	}, []);

	const pick = (peer: User) => {
		query.value = "";
		found.value = null;
		const held = chat.conversations.value.find((stream) => chat.isDirectWith(stream, peer.id));
		onOpen(held ? { conversationId: held.id } : { peer });
	};

	return (
		<aside class="sidebar" ref={root} aria-label="Conversations" onKeyDown={(event) => moveFocus(event, root.current!)}>
			<header class="me">
				<Avatar id={chat.session.user.id} name={nameOf(chat.session.user)} />
				<div class="me-names">
					<strong data-testid="me-name">{nameOf(chat.session.user)}</strong>
					<span>@{chat.session.user.username}</span>
				</div>
				<button
					class="icon-button"
					type="button"
					title="Settings"
					aria-label="Settings"
					data-testid="open-settings"
					onClick={() => (chat.panel.value = { kind: "settings" })}
				>
					<GearIcon />
				</button>
				<LogOut chat={chat} />
			</header>
			<div class="search" role="search">
				<SearchIcon />
				<input
					ref={search}
					type="search"
					placeholder="Find a person"
					aria-label="Find a person"
					autocomplete="off"
					spellcheck={false}
					data-testid="search-input"
					data-stop
					value={query.value}
					onInput={(event) => (query.value = event.currentTarget.value)}
					onKeyDown={(event) => {
						if (event.key === "Escape") query.value = "";
						const first = found.value?.people[0];
						if (event.key === "Enter" && first && found.value?.query === asked) pick(first);
					}}
				/>
				<button
					class="icon-button"
					type="button"
					title="New group"
					aria-label="New group"
					data-testid="open-new-group"
					onClick={() => (chat.panel.value = { kind: "new_group" })}
				>
					<GroupIcon />
				</button>
			</div>
			{asked ? <People found={found.value} onPick={pick} /> : <Conversations chat={chat} onOpen={onOpen} />}
		</aside>
	);
}

async function findPeople(chat: Chat, query: string): Promise<Found> {
	try {
		return { query, people: await findUsers(chat.session, query), failed: false };
	} catch (error) {
		if (!(error instanceof Failure)) throw error;
		return { query, people: [], failed: error.status !== 422 && error.status !== 400 };
	}
}

function LogOut(props: { chat: Chat }) {
	const busy = useSignal(false);
	const leave = async () => {
		busy.value = true;
		try {
			await props.chat.logOut();
		} catch (error) {
			if (!(error instanceof Failure)) throw error;
			alert(`You are still logged in: ${error.detail}`);
		}
		busy.value = false;
	};
	return (
		<button class="icon-button" type="button" title="Log out" aria-label="Log out" data-testid="log-out" disabled={busy.value} onClick={leave}>
			<LeaveIcon />
		</button>
	);
}

function People(props: { found: Found | null; onPick(person: User): void }) {
	const { found } = props;
	const people = found?.people ?? [];
	let note = "";
	if (found?.failed) note = "The search didn't work. Try again in a moment.";
	else if (found && !people.length) note = `Nobody is called “${found.query}”.`;
	return (
		<nav class="list" aria-label="People found" aria-busy={!found}>
			<p class="list-note" role="status">
				{note || (found ? <span class="unseen">{`${people.length} found`}</span> : "Searching…")}
			</p>
			<ul>
				{people.map((person) => (
					<li key={person.id}>
						<button class="row" type="button" data-testid="search-result" data-stop onClick={() => props.onPick(person)}>
							<Avatar id={person.id} name={nameOf(person)} />
							<span class="row-text">
								<span class="row-title">{nameOf(person)}</span>
								<span class="row-more">@{person.username}</span>
							</span>
						</button>
					</li>
				))}
			</ul>
		</nav>
	);
}

function Conversations(props: { chat: Chat; onOpen(selection: Selection): void }) {
	const { chat } = props;
	const streams = chat.conversations.value;
	const current = chat.current.value;
	if (!streams.length) {
		return (
			<div class="list">
				<p class="list-note" role="status">
					{chat.replica.listed ? "No conversations yet. Find somebody by name to say hello." : "Loading…"}
				</p>
			</div>
		);
	}
	return (
		<nav class="list" aria-label="Conversations">
			<ul>
				{streams.map((stream) => (
					<li key={stream.id}>
						<ConversationRow
							chat={chat}
							stream={stream}
							open={stream === current}
							onOpen={() => props.onOpen({ conversationId: stream.id })}
						/>
					</li>
				))}
			</ul>
		</nav>
	);
}

function ConversationRow(props: { chat: Chat; stream: ConversationStream; open: boolean; onOpen(): void }) {
	const { chat, stream } = props;
	chat.version.value;
	const unread = chat.unread(stream);
	const muted = chat.isMuted(stream);
	const newest = stream.newest;
	const typing = typingText(chat, stream);
	const mine = newest?.sender_id === chat.session.user.id;
	return (
		<button
			class={unread ? "row row-unread" : "row"}
			type="button"
			data-testid="conversation-item"
			data-stop
			aria-current={props.open ? "true" : undefined}
			onClick={props.onOpen}
		>
			<Avatar id={chat.faceOf(stream)} name={chat.titleOf(stream)}>
				{stream.conversation?.kind === "direct" && <Dot chat={chat} userId={chat.peerOf(stream)?.user_id} />}
			</Avatar>
			<span class="row-text">
				<span class="row-line">
					<span class="row-title">{chat.titleOf(stream)}</span>
					{newest && (
						<time class="row-time" dateTime={newest.timestamp} title={fullTimeOf(newest.timestamp)}>
							{shortTimeOf(newest.timestamp)}
						</time>
					)}
				</span>
				<span class="row-line">
					<span class={typing ? "row-more row-typing" : "row-more"}>
						{typing || (mine && "You: ")}
						{typing ? "" : newest ? (newest.content ?? "Message deleted") : "No messages yet"}
					</span>
					{muted && <MutedIcon />}
					{unread > 0 && (
						<span class={muted ? "badge badge-muted" : "badge"}>
							{unread > 99 ? "99+" : unread}
							<span class="unseen"> unread</span>
						</span>
					)}
				</span>
			</span>
		</button>
	);
}

/** Arrow keys walk from the search field down the list and back. */
function moveFocus(event: KeyboardEvent, root: HTMLElement): void {
	if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
	const stops = [...root.querySelectorAll<HTMLElement>("[data-stop]")];
	const at = stops.indexOf(document.activeElement as HTMLElement);
	const next = stops[at + (event.key === "ArrowDown" ? 1 : -1)];
	if (at < 0 || !next) return;
	event.preventDefault();
	next.focus();
}
