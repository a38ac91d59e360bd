// Where the reading of the list of conversations stands, by which many streams start at once.

export class Listing {
	cursor: string | null = null;
	private state: "no" | "wanted" | "asked" | "refused" = "no";
	private due = 0;

	/** The streams are about to start by it: until then none is pulled. */
	get coming(): boolean {
		return this.state === "wanted" || this.state === "asked";
	}

	/** When to ask for the page at `cursor`; null: there is no reason to, or it is asked already. */
	get dueAt(): number | null {
		return this.state === "wanted" ? this.due : null;
	}

	/** From its begin. */
	want(): void {
		this.state = "wanted";
		this.cursor = null;
	}

	stop(): void {
		this.state = "no";
	}

	asked(): void {
		this.state = "asked";
	}

	/** A page was read; null: it was the last one. */
	goOn(cursor: string | null): void {
		this.state = cursor === null ? "no" : "wanted";
		this.cursor = cursor;
	}

	/** Without `waitMs` for good. */
	failed(now: number, waitMs?: number): void {
		this.want();
		this.due = now + (waitMs ?? 0);
		if (waitMs === undefined) this.state = "refused";
	}

	wake(now: number): void {
		if (this.state === "refused") this.want();
		this.due = now;
	}
}
