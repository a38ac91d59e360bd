// Whom one has blocked: rows of the person's stream, told by block.updated, by `changes` and by sync. The newest row counts.

import type { Frame, SyncAnswer } from "./types";

/** `me`: the revision of the person's stream. */
export interface BlockRow {
	user_id: string;
	blocked: boolean;
	me: number;
}

export class Blocks {
	private readonly rows = new Map<string, BlockRow>();

	has(userId: string): boolean {
		return this.rows.get(userId)?.blocked ?? false;
	}

	frame(frame: Frame): void {
		const { type, user_id, blocked, me } = frame;
		if (type === "block.updated" && user_id !== undefined && blocked !== undefined && me !== undefined) this.apply({ user_id, blocked, me });
		for (const row of frame.blocks ?? []) this.apply(row);
	}

	/** `anew`: it was asked for all that is, so what it does not name is no more. */
	synced(answer: SyncAnswer, anew: boolean): void {
		if (anew) this.rows.clear();
		for (const row of answer.me.blocks ?? []) this.apply(row);
	}

	private apply(row: BlockRow): void {
		if (row.me > (this.rows.get(row.user_id)?.me ?? -1)) this.rows.set(row.user_id, row);
	}
}
