// A person's or a group's initials on a colour of their own.

import type { ComponentChildren } from "preact";

const HUES = 8; // classes hue-0 … of the style sheet

/** `children` stand at its corner. */
export function Avatar(props: { id: string; name: string; children?: ComponentChildren }) {
	return (
		<span class="avatar-frame">
			<span class={`avatar hue-${hueOf(props.id)}`} aria-hidden="true">
				{initialsOf(props.name)}
			</span>
			{props.children}
		</span>
	);
}

function hueOf(id: string): number {
	let hash = 0;
	for (const char of id) hash = (hash * 31 + char.codePointAt(0)!) >>> 0;
	return hash % HUES;
}

function initialsOf(name: string): string {
	const words = name.split(/[\s._-]+/).filter(Boolean);
	const first = [...(words[0] ?? "?")][0] ?? "?";
	const last = words.length > 1 ? ([...words[words.length - 1]!][0] ?? "") : "";
	return (first + last).toLocaleUpperCase();
}
