// What forms are made of: a field with its label and note, what went wrong, the button that sends, and a question before
// what can't be undone.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Failure } from "../core/types";
import { useLeft } from "./countdown";
import { wordsOf } from "./words";

interface FieldProps {
	id: string;
	label: string;
	hint?: string | undefined;
	/** "": wrong, and said above the form already. */
	error?: string | undefined;
	type?: "text" | "password" | "number";
	autocomplete?: string;
	testid: string;
	value?: string;
	maxLength?: number;
	onInput?(value: string): void;
}

export function Field(props: FieldProps) {
	const wrong = props.error !== undefined;
	const note = props.error || props.hint;
	return (
		<div class={wrong ? "field field-wrong" : "field"}>
			<label for={props.id}>{props.label}</label>
			<input
				id={props.id}
				name={props.id}
				type={(props.type ?? "text") as "text"}
				autocomplete={props.autocomplete ?? "off"}
				autocapitalize="none"
				spellcheck={false}
				maxLength={props.maxLength}
				defaultValue={props.value}
				aria-invalid={wrong || undefined}
				aria-describedby={note ? `${props.id}-note` : undefined}
				data-testid={props.testid}
				onInput={props.onInput && ((event) => props.onInput?.(event.currentTarget.value))}
			/>
			{note && <p id={`${props.id}-note`}>{note}</p>}
		</div>
	);
}

/** Empties one field; a reset would empty the choices too. */
export function empty(form: HTMLFormElement | null, name: string): void {
	const field = form?.elements.namedItem(name);
	if (field instanceof HTMLInputElement) field.value = "";
}

/** What the server says about one field; "" when that is all it says. */
export function wrongOf(failure: Failure | null, field: string): string | undefined {
	const detail = failure?.fields.find((one) => one.field === field)?.detail;
	return detail && detail === failure?.detail ? "" : detail;
}

/** Why something wasn't done, with the time to wait running down. Stands empty, so that a reader hears what comes. */
export function Refusal(props: { failure: Failure | null; testid?: string }) {
	const { failure } = props;
	const at = useRef<{ failure: Failure | null; until: number }>({ failure: null, until: 0 });
	if (at.current.failure !== failure) at.current = { failure, until: failure?.retryAfterMs ? Date.now() + failure.retryAfterMs : 0 };
	const left = useLeft(at.current.until);
	const passed = at.current.until > 0 && left === 0;
	return (
		<p class="refusal" role="alert" data-testid={props.testid ?? "refusal"} data-code={failure?.code} hidden={!failure || passed}>
			{failure && wordsOf(failure, left)}
		</p>
	);
}

export function Submit(props: { busy: boolean; testid: string; disabled?: boolean; children: ComponentChildren }) {
	return (
		<button class="primary" type="submit" data-testid={props.testid} aria-busy={props.busy} disabled={props.disabled ?? false}>
			{props.busy ? "One moment…" : props.children}
		</button>
	);
}

interface ConfirmProps {
	/** What stands on the button, and what is asked after it is pressed. */
	label: string;
	question: string;
	confirm: string;
	testid: string;
	busy?: boolean;
	/** Names what the button is about, where several look alike. */
	about?: string;
	onConfirm(): void;
}

/** A button that asks before it does what it says. */
export function Confirm(props: ConfirmProps) {
	const asking = useSignal(false);
	const box = useRef<HTMLSpanElement>(null);
	const moved = useRef(false);

	useEffect(() => {
		if (moved.current) box.current?.querySelector("button")?.focus();
		moved.current = true;
	}, [asking.value]);

	if (!asking.value) {
		return (
			<span class="confirm" ref={box}>
				<button
					class="link danger"
					type="button"
					data-testid={props.testid}
					aria-label={props.about ? `${props.label}: ${props.about}` : undefined}
					aria-busy={props.busy}
					disabled={props.busy}
					onClick={() => (asking.value = true)}
				>
					{props.label}
				</button>
			</span>
		);
	}
	const onKeyDown = (event: KeyboardEvent) => {
		if (event.key !== "Escape") return;
		event.preventDefault(); // only the question closes, not what it stands in
		event.stopPropagation();
		asking.value = false;
	};
	return (
		<span class="confirm asking" ref={box} role="group" aria-label={props.question} onKeyDown={onKeyDown}>
			<span>{props.question}</span>
			<button class="link danger" type="button" data-testid={`${props.testid}-confirm`} onClick={() => ((asking.value = false), props.onConfirm())}>
				{props.confirm}
			</button>
			<button class="link" type="button" onClick={() => (asking.value = false)}>
				Cancel
			</button>
		</span>
	);
}
