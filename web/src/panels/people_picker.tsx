// Finding people by name and putting them on a list.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { type Chat, nameOf } from "../chat";
import { Failure, type User } from "../core/types";
import { findUsers } from "../net/source";
import { Avatar } from "../ui/avatar";
import { CloseIcon } from "../ui/icons";

const TYPING_MS = 200; // a pause this long, and the search is asked for

interface PickerProps {
	chat: Chat;
	chosen: User[];
	/** Those who need not be found: they are in already. */
	without(userId: string): boolean;
	onChange(chosen: User[]): void;
}

export function PeoplePicker(props: PickerProps) {
	const { chosen, onChange } = props;
	const query = useSignal("");
	const found = useFound(props.chat, query.value.trim());
	const people = (found?.people ?? []).filter((one) => !props.without(one.id));
	const isChosen = (id: string) => chosen.some((one) => one.id === id);
	const toggle = (person: User) =>
		onChange(isChosen(person.id) ? chosen.filter((one) => one.id !== person.id) : [...chosen, person]);
	return (
		<div class="picker-of-people">
			{chosen.length > 0 && (
				<ul class="chips" aria-label="Chosen">
					{chosen.map((person) => (
						<li key={person.id}>
							<button type="button" class="chip" aria-label={`Remove ${nameOf(person)}`} data-testid="chosen" onClick={() => toggle(person)}>
								{nameOf(person)} <CloseIcon />
							</button>
						</li>
					))}
				</ul>
			)}
			<div class="field">
				<label for="people">Add people</label>
				<input
					id="people"
					type="search"
					autocomplete="off"
					spellcheck={false}
					placeholder="Find by name"
					data-testid="people-search"
					value={query.value}
					onInput={(event) => (query.value = event.currentTarget.value)}
					onKeyDown={(event) => {
						if (event.key !== "Enter") return;
						event.preventDefault(); // the form is not done yet
						const first = people.find((one) => !isChosen(one.id));
						if (first) toggle(first), (query.value = "");
					}}
				/>
			</div>
			<p class="note" role="status">
				{noteOf(found, people.length)}
			</p>
			<ul class="rows">
				{people.map((person) => (
					<li key={person.id}>
						<label class="pick" data-testid="people-found">
							<input type="checkbox" checked={isChosen(person.id)} onChange={() => toggle(person)} />
							<Avatar id={person.id} name={nameOf(person)} />
							<span class="item-text">
								<strong>{nameOf(person)}</strong>
								<span>@{person.username}</span>
							</span>
						</label>
					</li>
				))}
			</ul>
		</div>
	);
}

interface Found {
	query: string;
	people: User[];
	failure: string;
}

function noteOf(found: Found | null, shown: number): string {
	if (!found) return "";
	if (found.failure) return found.failure;
	return shown ? "" : `Nobody else is called “${found.query}”.`;
}

function useFound(chat: Chat, query: string): Found | null {
	const found = useSignal<Found | null>(null);
	useEffect(() => {
		if (!query) {
			found.value = null;
			return undefined;
		}
		let wanted = true;
		const timer = setTimeout(async () => {
			const answer = await find(chat, query);
			if (wanted) found.value = answer;
		}, TYPING_MS);
		return () => {
			wanted = false;
			clearTimeout(timer);
		};
	}, [query]);
	return found.value;
}

async function find(chat: Chat, query: string): Promise<Found> {
	try {
		return { query, people: await findUsers(chat.session, query), failure: "" };
	} catch (error) {
		if (!(error instanceof Failure)) throw error;
		return { query, people: [], failure: error.detail };
	}
}
