// A button that unfolds a list of things to do (WAI-ARIA, "Menu Button"): arrow keys walk, Escape and a click elsewhere
// close it.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

export interface MenuItem {
	label: string;
	testid: string;
	danger?: boolean;
	run(): void;
}

export function Menu(props: { label: string; testid: string; items: MenuItem[]; children: ComponentChildren }) {
	const open = useSignal(false);
	const box = useRef<HTMLDivElement>(null);
	const focus = (what: string) => box.current?.querySelector<HTMLElement>(what)?.focus();

	useLayoutEffect(() => {
		if (!open.value) return undefined;
		focus("[role=menuitem]");
		const elsewhere = (event: Event) => {
			if (!box.current?.contains(event.target as Node)) open.value = false;
		};
		addEventListener("pointerdown", elsewhere);
		return () => removeEventListener("pointerdown", elsewhere);
	}, [open.value]);

	const onKeyDown = (event: KeyboardEvent) => {
		if (!open.value) return;
		const items = [...box.current!.querySelectorAll<HTMLElement>("[role=menuitem]")];
		const at = items.indexOf(document.activeElement as HTMLElement);
		if (event.key === "ArrowDown") items[(at + 1) % items.length]?.focus();
		else if (event.key === "ArrowUp") items[(at - 1 + items.length) % items.length]?.focus();
		else if (event.key === "Escape") (open.value = false), focus("button");
		else if (event.key === "Tab") return void (open.value = false);
		else return;
		event.preventDefault();
		event.stopPropagation();
	};
	return (
		<div class="menu" ref={box} onKeyDown={onKeyDown}>
			<button
				class="icon-button"
				type="button"
				title={props.label}
				aria-label={props.label}
				aria-haspopup="menu"
				aria-expanded={open.value}
				data-testid={props.testid}
				onClick={() => (open.value = !open.value)}
			>
				{props.children}
			</button>
			{open.value && (
				<div class="menu-list" role="menu" aria-label={props.label}>
					{props.items.map((item) => (
						<button
							key={item.testid}
							class={item.danger ? "danger" : ""}
							type="button"
							role="menuitem"
							tabIndex={-1}
							data-testid={item.testid}
							onClick={() => {
								open.value = false;
								focus("button"); // a dialog that closes gives the focus back to here
								item.run();
							}}
						>
							{item.label}
						</button>
					))}
				</div>
			)}
		</div>
	);
}
