// What the server's refusals mean to a person. The server's own words are good English already; here is what only the page
// knows better, or what it says about time.

import type { Failure } from "../core/types";

const WORDS: Record<string, string> = {
	rate_limited: "That was too much in a short time.",
	slow_mode: "Slow mode is on here: everybody writes one message at a time.",
	conversation_not_found: "This conversation isn't here any more: it was deleted, or you were removed from it.",
	password_expired: "This password was for once, and its time is over. Ask an administrator of this server for another one.",
	unreachable: "The server can't be reached. Check your connection and try again.",
};

/** `leftMs`: how long the server still asks to wait. */
export function wordsOf(failure: Pick<Failure, "code" | "detail">, leftMs = 0): string {
	const text = WORDS[failure.code] ?? failure.detail;
	return leftMs > 0 ? `${text} Try again in ${secondsOf(leftMs)}.` : text;
}

export function secondsOf(ms: number): string {
	const seconds = Math.ceil(ms / 1000);
	if (seconds < 90) return `${seconds} s`;
	const minutes = Math.ceil(seconds / 60);
	return minutes < 90 ? `${minutes} min` : `${Math.ceil(minutes / 60)} h`;
}
