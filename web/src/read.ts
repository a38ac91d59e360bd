// How far each conversation has been read on this device, kept over a reload.

export class ReadMarks {
	private readonly key: string;
	private readonly marks: Map<string, number>;

	constructor(userId: string) {
		this.key = `stonechat.read.${userId}`;
		this.marks = new Map(Object.entries(load(this.key)));
	}

	get(conversationId: string): number {
		return this.marks.get(conversationId) ?? 0;
	}

	/** True when it moved; it only grows. */
	set(conversationId: string, seq: number): boolean {
		if (seq <= this.get(conversationId)) return false;
		this.marks.set(conversationId, seq);
		try {
			localStorage.setItem(this.key, JSON.stringify(Object.fromEntries(this.marks)));
		} catch {
			// No room or not allowed: it holds until the page is closed.
		}
		return true;
	}
}

function load(key: string): Record<string, number> {
	try {
		return (JSON.parse(localStorage.getItem(key) ?? "{}") as Record<string, number> | null) ?? {};
	} catch {
		return {};
	}
}
