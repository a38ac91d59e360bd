// The time until a moment, for what shows it running down.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** Milliseconds left until `at` (epoch milliseconds); redraws each second until there are none. */
export function useLeft(at: number): number {
	const tick = useSignal(0);
	tick.value;
	const left = Math.max(0, at - Date.now());
	useEffect(() => {
		if (at <= Date.now()) return undefined;
		const timer = setInterval(() => {
			tick.value++;
			if (at <= Date.now()) clearInterval(timer);
		}, 1000);
		return () => clearInterval(timer);
	}, [at]);
	return left;
}
