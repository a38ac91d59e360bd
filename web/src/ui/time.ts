// Times as a person reads them.

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const longDate = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dateWithYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

export function timeOf(timestamp: string): string {
	return clock.format(new Date(timestamp));
}

export function fullTimeOf(timestamp: string): string {
	return full.format(new Date(timestamp));
}

/** Days back from today, by the calendar: 0 is today. */
function daysAgo(when: Date): number {
	const midnight = (day: Date) => new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
	return Math.round((midnight(new Date()) - midnight(when)) / 86_400_000);
}

/** The same for two times of one calendar day. */
export function dayKey(timestamp: string): number {
	const when = new Date(timestamp);
	return (when.getFullYear() * 12 + when.getMonth()) * 31 + when.getDate();
}

export function dayOf(timestamp: string): string {
	const when = new Date(timestamp);
	const days = daysAgo(when);
	if (days === 0) return "Today";
	if (days === 1) return "Yesterday";
	return when.getFullYear() === new Date().getFullYear() ? longDate.format(when) : dateWithYear.format(when);
}

/** For the list: the shortest that says when. */
export function shortTimeOf(timestamp: string): string {
	const when = new Date(timestamp);
	const days = daysAgo(when);
	if (days <= 0) return clock.format(when);
	return days < 7 ? weekday.format(when) : date.format(when);
}

/** How long ago, in words: "just now", "5 min ago", "yesterday at 9:41". */
export function agoOf(timestamp: string): string {
	const when = new Date(timestamp);
	const minutes = Math.floor((Date.now() - when.getTime()) / 60_000);
	if (minutes < 1) return "just now";
	if (minutes < 60) return `${minutes} min ago`;
	const days = daysAgo(when);
	if (days <= 0) return `today at ${clock.format(when)}`;
	if (days === 1) return `yesterday at ${clock.format(when)}`;
	return date.format(when);
}

export function dateOf(timestamp: string): string {
	return dateWithYear.format(new Date(timestamp));
}
