// Drawn signs. All are decoration: what they stand on carries the words.

import type { ComponentChildren } from "preact";

function Icon(props: { children: ComponentChildren }) {
	return (
		<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
			{props.children}
		</svg>
	);
}

export const SearchIcon = () => (
	<Icon>
		<circle cx="11" cy="11" r="6.5" />
		<path d="m16 16 4.5 4.5" />
	</Icon>
);

export const SendIcon = () => (
	<Icon>
		<path d="M12 19.5v-15M5.5 11 12 4.5l6.5 6.5" />
	</Icon>
);

export const BackIcon = () => (
	<Icon>
		<path d="m14.5 5-7 7 7 7" />
	</Icon>
);

export const DownIcon = () => (
	<Icon>
		<path d="M12 5v14M6 13l6 6 6-6" />
	</Icon>
);

export const LeaveIcon = () => (
	<Icon>
		<path d="M14 4.5H6.5a1.5 1.5 0 0 0-1.5 1.5v12a1.5 1.5 0 0 0 1.5 1.5H14M10.5 12H20M16.5 8.5 20 12l-3.5 3.5" />
	</Icon>
);

export const CloseIcon = () => (
	<Icon>
		<path d="m6.5 6.5 11 11m0-11-11 11" />
	</Icon>
);

export const SmileIcon = () => (
	<Icon>
		<circle cx="12" cy="12" r="8.5" />
		<path d="M8.5 14c1.6 2.4 5.4 2.4 7 0M9 9.5v.5M15 9.5v.5" />
	</Icon>
);

export const ReplyIcon = () => (
	<Icon>
		<path d="m9.5 6-5 5 5 5M5 11h8.5a6 6 0 0 1 6 6v1" />
	</Icon>
);

export const EditIcon = () => (
	<Icon>
		<path d="m5 15.5 10.5-10.5 3.5 3.5L8.5 19H5Z" />
	</Icon>
);

export const TrashIcon = () => (
	<Icon>
		<path d="M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7" />
	</Icon>
);

export const GearIcon = () => (
	<Icon>
		<circle cx="12" cy="12" r="3" />
		<path d="M12 3.5v2.2M12 18.3v2.2M3.5 12h2.2M18.3 12h2.2M6 6l1.5 1.5M16.5 16.5 18 18M18 6l-1.5 1.5M7.5 16.5 6 18" />
		<circle cx="12" cy="12" r="6.3" />
	</Icon>
);

export const MoreIcon = () => (
	<Icon>
		<path d="M5.5 12h.01M12 12h.01M18.5 12h.01" stroke-width="2.8" />
	</Icon>
);

export const GroupIcon = () => (
	<Icon>
		<circle cx="9" cy="9" r="3.5" />
		<path d="M3 19c.4-3.3 2.8-5 6-5s5.6 1.7 6 5M19 6v6M16 9h6" />
	</Icon>
);

export const TickIcon = () => (
	<Icon>
		<path d="m5 12.5 4.5 4.500L19 7.5" />
	</Icon>
);

export const TicksIcon = () => (
	<Icon>
		<path d="m2 12.5 4.5 4.500L16 7.500M11 16l1 1L21.5 7.5" />
	</Icon>
);

export const EyeIcon = () => (
	<Icon>
		<path d="M2.5 12c2-4 5.5-6 9.5-6s7.5 2 9.5 6c-2 4-5.5 6-9.5 6s-7.5-2-9.5-6Z" />
		<circle cx="12" cy="12" r="2.8" />
	</Icon>
);

export const MutedIcon = () => (
	<svg class="icon muted" viewBox="0 0 24 24" role="img" aria-label="muted" data-testid="muted">
		<path d="M6.5 16V11a5.5 5.5 0 0 1 9-4.200M17.5 11v5H8M10 19.500h4M4.5 19.500l15-15" />
	</svg>
);

/** The bird the server is named after: black head, white collar, rust breast, on its stone. */
export const Logo = () => (
	<svg class="logo" viewBox="0 0 64 64" aria-hidden="true" focusable="false">
		<path class="logo-stone" d="M6 56c3-7 13-9 26-9s23 2 26 9a2 2 0 0 1-2 3H8a2 2 0 0 1-2-3Z" />
		<path class="logo-wing" d="M30 17c10 0 18 7 20 17l8 8-12-1c-3 5-8 8-14 8-10 0-17-7-17-16 0-8 6-16 15-16Z" />
		<path class="logo-breast" d="M16 29c1 2 5 4 10 4 5 3 6 9 4 16-9-1-15-7-15-15 0-2 0-4 1-5Z" />
		<path class="logo-collar" d="M16 27c2 4 8 7 15 6 3-1 5-3 6-6l-3-3H17Z" />
		<path class="logo-head" d="M28 5c8 0 13 6 12 13-1 6-6 10-13 10-6 0-11-3-12-8l-8-3 8-2c1-6 6-10 13-10Z" />
		<circle class="logo-eye" cx="23" cy="14" r="1.8" />
	</svg>
);
