// The panels there are, and what each is about.

import type { StoredMessage } from "../core/types";

export type Panel =
	| { kind: "settings"; tab?: string }
	| { kind: "admin" }
	| { kind: "new_group" }
	| { kind: "group"; conversationId: string }
	| { kind: "readers"; message: StoredMessage };
