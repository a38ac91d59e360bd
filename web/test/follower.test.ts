// The table of cases of the client algorithm (tests/cases/client, with a README), run by this implementation.

import { Follower } from "../src/core/follower";
import type { Answer, Mark, Request } from "../src/core/requests";
import type { ConversationStream } from "../src/core/stream";
import type { Frame, StoredMessage } from "../src/core/types";

// @ts-expect-error the bundle runs in node, whose types this package does without
import assert from "node:assert/strict";
// @ts-expect-error as above
import { readdirSync, readFileSync } from "node:fs";
// @ts-expect-error as above
import test from "node:test";

/** Where the cases are: put in by build.mjs. */
declare const CASES_DIR: string;

type Json = Record<string, any>;

const BEGIN_MS = 1_000;
const KINDS: Record<string, string> = {
	last_message: "message",
	messages: "message",
	members: "member",
	memberships: "membership",
	reactions: "reaction",
};
const ITEMS: Record<string, string> = { page: "message", list: "conversation" };

const read = (name: string) => JSON.parse(readFileSync(`${CASES_DIR}/${name}`, "utf8"));
const DEFAULTS: Json = read("defaults.json");

/** A sparse row or answer with what defaults.json adds, and so for all inside it. */
function filled(kind: string, value: any): any {
	if (Array.isArray(value)) return value.map((one) => filled(kind, one));
	if (typeof value !== "object" || value === null) return value;
	const inside = Object.entries(value).map(([key, one]) => {
		const of = key === "items" ? (ITEMS[kind] ?? "") : (KINDS[key] ?? key);
		return [key, filled(of, one)];
	});
	const id = kind === "message" ? { id: `m${value.seq}` } : {};
	return { ...DEFAULTS[kind], ...id, ...Object.fromEntries(inside) };
}

function nameOf(request: Request): string {
	const words: (string | number | null)[] = [request.kind];
	if ("conversationId" in request) words.push(request.conversationId);
	if (request.kind === "changes") words.push(request.afterRev);
	if (request.kind === "page") words.push(request.beforeSeq);
	if (request.kind === "list") words.push(request.cursor);
	return words.filter((word) => word !== null).join(" ");
}

/** All that a case may list of a conversation. */
function shown(one: ConversationStream, now: number): Json {
	const messages = one.low === null ? [] : one.messages();
	const bySeq = (value: (row: StoredMessage) => unknown) => Object.fromEntries(messages.map((row) => [row.seq, value(row)]));
	const reactions = bySeq((row) => Object.fromEntries((row.reactions ?? []).map((part) => [part.emoji, part.count])));
	return {
		known: one.known,
		messages: bySeq((row) => row.content),
		reactions: Object.fromEntries(Object.entries(reactions).filter(([, parts]) => Object.keys(parts as Json).length)),
		members: one.present().sort(),
		title: one.title,
		read_seq: one.readSeq,
		role: one.role,
		others_read: Object.fromEntries(one.receipts.read),
		others_delivered: Object.fromEntries(one.receipts.delivered),
		typing: one.receipts.typing(now).sort(),
	};
}

class Run {
	private now = 0;
	private readonly follower: Follower;
	private readonly asked = new Map<string, Request[]>();
	private readonly marks = new Map<string, Mark>();
	private lastSync: Json = {};

	constructor(given: Json) {
		this.follower = new Follower("ann", given["lists"]);
		if (given["start"] !== "nothing") this.begin();
		this.now = BEGIN_MS;
	}

	/** As the README says. */
	private begin(): void {
		const membership = { conversation_id: "c", rev: 1, me: 1 };
		const head = { conversation_id: "c", last_seq: 2, last_rev: 3 };
		const members = [{ user_id: "ann", rev: 1 }, { user_id: "bob", rev: 1 }];
		const items = [{ seq: 1, rev: 2, content: "one" }, { seq: 2, rev: 3, content: "two" }];
		this.follower.auth();
		this.follower.frame({ type: "hello", epoch: "one", me: 1 }, this.now);
		this.asks(["sync"]);
		this.answer("sync", { me: { rev: 1, memberships: [membership] }, conversations: [head] });
		this.now = 100;
		this.asks(["snapshot c"]);
		this.answer("snapshot c", { conversation: { id: "c", last_rev: 3, members }, page: { items, last_rev: 3 } });
		this.follower.auth();
	}

	private asks(wanted: string[]): void {
		const requests = this.follower.requests(this.now);
		assert.deepEqual(requests.map(nameOf).sort(), [...wanted].sort());
		for (const one of requests) {
			this.asked.set(nameOf(one), [...(this.asked.get(nameOf(one)) ?? []), one]);
			if (one.kind === "sync") this.lastSync = one.body;
		}
	}

	private take(name: string): Request {
		const request = this.asked.get(name)?.shift();
		assert.ok(request, `nobody asked ${name}`);
		return request!;
	}

	private answer(name: string, body: Json): void {
		const request = this.take(name);
		this.follower.answer(request, filled(request.kind === "snapshot" ? "" : request.kind, body) as Answer, this.now);
	}

	private view(wanted: Json): void {
		assert.deepEqual([...this.follower.conversations.keys()].sort(), Object.keys(wanted).sort());
		for (const [id, keys] of Object.entries(wanted)) {
			const held = shown(this.follower.conversations.get(id)!, this.now);
			assert.deepEqual(Object.fromEntries(Object.keys(keys).map((key) => [key, held[key]])), keys);
		}
	}

	private readonly steps: Record<string, (value: any, step: Json) => void> = {
		frame: (frame) => this.follower.frame(filled(frame.type === "changes" ? "changes" : "", frame) as Frame, this.now),
		asks: (wanted) => this.asks(wanted),
		body: (wanted) => assert.deepEqual(this.lastSync, wanted),
		answer: (name, step) => this.answer(name, step["with"]),
		fail: (name, { status, wait_ms: waitMs }) =>
			this.follower.failed(this.take(name), this.now, waitMs === undefined ? { gone: status === 404 } : { waitMs }),
		reply: (row, { mark }) => this.follower.reply(filled("message", row), this.marks.get(mark)!, this.now),
		mark: (id) => this.marks.set(id, this.follower.mark(id)),
		marked_read: (id, { seq, me }) => this.follower.markedRead(id, seq, me, this.now),
		older: (id) => this.follower.older(id),
		wake: () => this.follower.wake(this.now),
		auth: (wanted) => assert.deepEqual(this.follower.auth(), wanted),
		next: (wanted) => assert.equal(this.follower.wakeAt(), wanted === null ? null : BEGIN_MS + wanted),
		me: (wanted) => assert.equal(this.follower.me.known, wanted),
		view: (wanted) => this.view(wanted),
	};

	step(step: Json): void {
		if ("at" in step) this.now = BEGIN_MS + step["at"];
		const keys = Object.keys(this.steps).filter((key) => key in step);
		assert.ok(keys.length, "a step of no known sort");
		// What a step does is the first of its keys; `me` and `view` may stand together.
		for (const key of keys[0] === "me" ? keys : keys.slice(0, 1)) this.steps[key]!(step[key], step);
	}
}

const files: string[] = readdirSync(CASES_DIR).filter((name: string) => name.endsWith(".json") && name !== "defaults.json");
for (const file of files.sort()) {
	for (const given of read(file) as Json[]) {
		test(`${file.replace(".json", "")}: ${given["name"]}`, () => {
			const run = new Run(given);
			given["steps"].forEach((step: Json, index: number) => {
				try {
					run.step(step);
				} catch (error) {
					(error as Error).message += `\nstep ${index + 1}: ${JSON.stringify(step)}`;
					throw error;
				}
			});
		});
	}
}
