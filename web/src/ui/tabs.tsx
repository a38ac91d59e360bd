// Sections of a panel, one shown at a time; the arrow keys go from one to the next (WAI-ARIA, "Tabs").

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

export interface Tab {
	id: string;
	label: string;
	show(): ComponentChildren;
}

export function Tabs(props: { tabs: Tab[]; label: string; first?: string | undefined; children?: ComponentChildren }) {
	const { tabs } = props;
	const chosen = useSignal(props.first ?? tabs[0]!.id);
	const list = useRef<HTMLDivElement>(null);
	const at = Math.max(0, tabs.findIndex((tab) => tab.id === chosen.value));
	const tab = tabs[at]!;

	const onKeyDown = (event: KeyboardEvent) => {
		const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
		if (!step) return;
		event.preventDefault();
		const next = (at + step + tabs.length) % tabs.length;
		chosen.value = tabs[next]!.id;
		(list.current!.children[next] as HTMLElement).focus();
	};
	return (
		<div class="tabs">
			<div class="tab-side">
				<div class="tab-list" role="tablist" aria-label={props.label} ref={list} onKeyDown={onKeyDown}>
				{tabs.map((one) => (
					<button
						key={one.id}
						id={`tab-${one.id}`}
						type="button"
						role="tab"
						aria-selected={one === tab}
						aria-controls="tab-panel"
						tabIndex={one === tab ? 0 : -1}
						data-testid={`tab-${one.id}`}
						onClick={() => (chosen.value = one.id)}
					>
						{one.label}
					</button>
				))}
			</div>
			{props.children}
			</div>
			<section key={tab.id} id="tab-panel" class="tab-panel" role="tabpanel" aria-labelledby={`tab-${tab.id}`}>
				{tab.show()}
			</section>
		</div>
	);
}
