// A list that comes page by page.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Failure, Page } from "../core/types";
import { useTask } from "../ui/task";

export interface Pages<T> {
	items: T[];
	busy: boolean;
	failure: Failure | null;
	more: boolean;
	next(): void;
	set(items: T[]): void;
}

/** Begins anew whenever `about` is another. */
export function usePages<T>(about: string, read: (cursor: string | null) => Promise<Page<T>>): Pages<T> {
	const items = useSignal<T[]>([]);
	const cursor = useSignal<string | null>(null);
	const turn = useRef(0);
	const failure = useSignal<Failure | null>(null);
	const task = useTask(async (mine: number, from: string | null) => {
		const page = await read(from);
		if (mine !== turn.current) return;
		items.value = from === null ? page.items : [...items.value, ...page.items];
		cursor.value = page.next_cursor;
	});
	failure.value = task.failure;

	useEffect(() => {
		const mine = ++turn.current;
		const timer = setTimeout(async () => {
			// One that is under way for what was asked before is waited for.
			while (mine === turn.current && !(await task.run(mine, null)) && !failure.value) await new Promise((done) => setTimeout(done, 50));
		}, 0);
		return () => {
			turn.current++;
			clearTimeout(timer);
		};
	}, [about]);

	return {
		items: items.value,
		busy: task.busy,
		failure: task.failure,
		more: cursor.value !== null,
		next: () => void task.run(turn.current, cursor.value),
		set: (next) => (items.value = next),
	};
}

export function More({ pages }: { pages: Pages<unknown> }) {
	if (!pages.more) return null;
	return (
		<button class="link" type="button" data-testid="more" disabled={pages.busy} onClick={pages.next}>
			Show more
		</button>
	);
}
