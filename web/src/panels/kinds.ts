// The panels there are, and what each is about.

export type Panel =
	| { kind: "settings"; tab?: string }
	| { kind: "new_group" }
	| { kind: "group"; conversationId: string };
