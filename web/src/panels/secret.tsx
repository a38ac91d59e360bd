// Something the server tells once: shown to be copied now.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

export function Secret(props: { label: string; secret: string; testid: string }) {
	const copied = useSignal("");
	const field = useRef<HTMLInputElement>(null);

	useEffect(() => {
		copied.value = "";
		field.current?.focus();
		field.current?.select();
	}, [props.secret]);

	const copy = async () => {
		field.current?.select();
		try {
			await navigator.clipboard.writeText(props.secret);
			copied.value = "Copied.";
		} catch {
			// Plain http from another machine, or not allowed.
			copied.value = "Press Ctrl+C to copy it.";
		}
	};
	return (
		<div class="secret">
			<p>
				<strong>{props.label}</strong> is shown only now. Keep it where you keep passwords.
			</p>
			<div class="secret-line">
				<input ref={field} readOnly value={props.secret} aria-label={props.label} data-testid={props.testid} onFocus={(event) => event.currentTarget.select()} />
				<button class="secondary" type="button" onClick={() => void copy()}>
					Copy
				</button>
			</div>
			<p role="status">{copied.value}</p>
		</div>
	);
}
