// A question before something is done that can't be undone, where a menu began it.

import { useEffect, useRef } from "preact/hooks";

export interface Question {
	text: string;
	confirm: string;
	run(): Promise<unknown>;
}

export function Question(props: { asking: Question | null; onYes(run: () => Promise<unknown>): void; onNo(): void }) {
	const { asking } = props;
	const box = useRef<HTMLDivElement>(null);

	useEffect(() => {
		if (!asking) return;
		box.current?.querySelector("button")?.focus();
		box.current?.scrollIntoView({ block: "nearest" });
	}, [asking]);

	if (!asking) return null;
	const onKeyDown = (event: KeyboardEvent) => {
		if (event.key !== "Escape") return;
		event.preventDefault();
		event.stopPropagation();
		props.onNo();
	};
	return (
		<div class="question" ref={box} role="group" aria-label={asking.text} onKeyDown={onKeyDown}>
			<span>{asking.text}</span>
			<button class="link danger" type="button" data-testid="question-yes" onClick={() => props.onYes(asking.run)}>
				{asking.confirm}
			</button>
			<button class="link" type="button" onClick={props.onNo}>
				Cancel
			</button>
		</div>
	);
}
