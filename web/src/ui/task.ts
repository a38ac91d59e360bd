// Something a person asks the server for: whether it is under way, and what the server said when it refused.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Failure } from "../core/types";

export interface Task<Args extends unknown[]> {
	/** Does it, unless it is being done already. True: it is done. */
	run(...args: Args): Promise<boolean>;
	busy: boolean;
	failure: Failure | null;
	/** Forgets a refusal, or is one the page itself has found. */
	say(failure: Failure | null): void;
}

export function useTask<Args extends unknown[]>(what: (...args: Args) => Promise<unknown>): Task<Args> {
	const busy = useSignal(false);
	const failure = useSignal<Failure | null>(null);
	return {
		busy: busy.value,
		failure: failure.value,
		say: (said) => (failure.value = said),
		async run(...args) {
			if (busy.value) return false;
			busy.value = true;
			failure.value = null;
			try {
				await what(...args);
				return true;
			} catch (error) {
				if (!(error instanceof Failure)) throw error;
				failure.value = error;
				return false;
			} finally {
				busy.value = false;
			}
		},
	};
}

/** What is read when a view opens, and again by `again`. undefined: not here yet. */
export function useAnswer<T>(read: () => Promise<T>): { answer: T | undefined; failure: Failure | null; again(): Promise<boolean>; set(answer: T): void } {
	const answer = useSignal<T | undefined>(undefined);
	const shown = useRef(true);
	const task = useTask(async () => {
		const came = await read();
		if (shown.current) answer.value = came;
	});
	useEffect(() => {
		void task.run();
		return () => {
			shown.current = false;
		};
	}, []);
	return { answer: answer.value, failure: task.failure, again: () => task.run(), set: (next) => (answer.value = next) };
}
