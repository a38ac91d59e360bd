// The one frame of everything that opens over the page. The browser's modal dialog keeps the keyboard inside, makes the rest
// inert, closes on Escape and gives the focus back to what opened it.

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { BackIcon, CloseIcon } from "./icons";

interface DialogProps {
	title: string;
	testid: string;
	onClose(): void;
	/** There is a view before this one, and a way back to it. */
	onBack?: (() => void) | undefined;
	children: ComponentChildren;
}

export function Dialog(props: DialogProps) {
	const box = useRef<HTMLDialogElement>(null);

	useLayoutEffect(() => {
		const dialog = box.current!;
		dialog.showModal();
		return () => dialog.close();
	}, []);

	return (
		<dialog
			ref={box}
			class="dialog"
			aria-labelledby="dialog-title"
			data-testid={props.testid}
			onCancel={(event) => {
				if (event.target !== box.current) return; // a file chooser's, for one
				event.preventDefault();
				props.onClose();
			}}
			onClick={(event) => event.target === box.current && props.onClose()}
		>
			<div class="dialog-frame">
				<header class="dialog-head">
					{props.onBack && (
						<button class="icon-button" type="button" aria-label="Back" data-testid="dialog-back" onClick={props.onBack}>
							<BackIcon />
						</button>
					)}
					<h1 id="dialog-title">{props.title}</h1>
					<button class="icon-button" type="button" aria-label="Close" title="Close (Esc)" data-testid="dialog-close" onClick={props.onClose}>
						<CloseIcon />
					</button>
				</header>
				<div class="dialog-body">{props.children}</div>
			</div>
		</dialog>
	);
}
