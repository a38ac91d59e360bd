// What the core does with an answer that would be the same for ever: it says so once and waits for a reason to ask again.

import type { Source } from "../src/core/ports";
import { Replica } from "../src/core/replica";
import { type Changes, type Conversation, Failure, type StoredMessage, type SyncAnswer } from "../src/core/types";
import { World } from "./world";

// @ts-expect-error the bundle runs in node, whose types this package does without
import assert from "node:assert/strict";
// @ts-expect-error as above
import test from "node:test";

const A_MINUTE = 60_000;
const ROOM = { id: "a", kind: "direct", title: null, members: [], member_count: 2, last_message: null, unread_count: 0, read_seq: 0, last_seq: 0, last_rev: 1, created_at: "" };
const SYNCED: SyncAnswer = { epoch: "one", me: { rev: 1, memberships: [] }, conversations: [], removed: [], next_cursor: null };
const CHANGES: Changes = { messages: [], members: [], conversation: null, next_after_rev: 2, last_rev: 2, has_more: false };

interface Bench {
	world: World;
	replica: Replica;
	asked: string[];
	told: number[];
	/** The status of the answers to come, by request; none: the answer is good. */
	refuse: Map<string, number>;
}

function bench(): Bench {
	const world = new World();
	const asked: string[] = [];
	const told: number[] = [];
	const refuse = new Map<string, number>();
	const ask = async <T>(name: string, answer: T): Promise<T> => {
		asked.push(name);
		const status = refuse.get(name);
		if (status !== undefined) throw new Failure(status, "refused", "", status >= 500);
		return answer;
	};
	const source: Source = {
		sync: () => ask("sync", SYNCED),
		conversations: () => ask("list", { items: [structuredClone(ROOM) as Conversation], next_cursor: null }),
		conversation: () => ask("conversation", structuredClone(ROOM) as Conversation),
		messages: () => ask("messages", { items: [], has_more_before: false, has_more_after: false, last_seq: 0, last_rev: 1 }),
		message: () => ask("message", {} as StoredMessage),
		changes: () => ask("changes", CHANGES),
	};
	const listener = { changed() {}, stored() {}, rejected() {}, refused: (failure: Failure) => told.push(failure.status) };
	return { world, replica: new Replica("me", source, world, listener), asked, told, refuse };
}

function times(asked: string[], name: string): number {
	return asked.filter((one) => one === name).length;
}

for (const status of [400, 401, 403, 404, 422]) {
	for (const request of ["sync", "list"]) {
		test(`a base whose ${request} is answered ${status} is told once and not asked for again`, async () => {
			const { world, replica, asked, told, refuse } = bench();
			refuse.set(request, status);
			void replica.start();
			await world.run(10 * A_MINUTE);
			assert.equal(times(asked, request), 1);
			assert.deepEqual(told, [status]);
			replica.wake();
			await world.run(20 * A_MINUTE);
			assert.equal(times(asked, request), 2, "the person has asked");
			refuse.clear();
			replica.frame({ type: "hello", epoch: "one", me: 1 });
			await world.run(30 * A_MINUTE);
			assert.equal(times(asked, request), 3);
			assert.ok(replica.listed && replica.streams.has("a"), "hello reads it after all");
			assert.equal(told.length, 2);
		});
	}
}

test("a base that may be had later is asked for until it is there", async () => {
	const { world, replica, told, refuse } = bench();
	refuse.set("sync", 503).set("list", 500);
	void replica.start();
	await world.run(A_MINUTE);
	refuse.clear();
	await world.run(2 * A_MINUTE);
	assert.ok(replica.listed);
	assert.deepEqual(told, []);
});

for (const status of [400, 401, 403, 422]) {
	test(`a pull that is answered ${status} is told once and keeps the conversation`, async () => {
		const { world, replica, asked, told, refuse } = bench();
		void replica.start();
		await world.run(A_MINUTE);
		refuse.set("changes", status);
		replica.frame({ type: "gap", conversation_id: "a", last_rev: 2 });
		await world.run(10 * A_MINUTE);
		replica.frame({ type: "gap", conversation_id: "a", last_rev: 2 });
		await world.run(20 * A_MINUTE);
		assert.equal(times(asked, "changes"), 1);
		assert.deepEqual(told, [status]);
		assert.ok(replica.streams.has("a"));
		refuse.clear();
		replica.wake();
		await world.run(30 * A_MINUTE);
		assert.equal(replica.streams.get("a")?.known, 2);
	});
}

test("a pull that is answered 404 drops the conversation without a word", async () => {
	const { world, replica, asked, told, refuse } = bench();
	void replica.start();
	await world.run(A_MINUTE);
	refuse.set("changes", 404);
	replica.frame({ type: "gap", conversation_id: "a", last_rev: 2 });
	await world.run(10 * A_MINUTE);
	assert.equal(times(asked, "changes"), 1);
	assert.equal(replica.streams.size, 0);
	assert.deepEqual(told, []);
});

test("a refused pull of the person's stream is told once; the other streams go on", async () => {
	const { world, replica, asked, told, refuse } = bench();
	void replica.start();
	await world.run(A_MINUTE);
	refuse.set("sync", 403);
	replica.frame({ type: "gap", last_rev: 3 });
	await world.run(10 * A_MINUTE);
	assert.equal(times(asked, "sync"), 2, "the base's and the refused one");
	assert.deepEqual(told, [403]);
	replica.frame({ type: "gap", conversation_id: "a", last_rev: 2 });
	await world.run(20 * A_MINUTE);
	assert.equal(replica.streams.get("a")?.known, 2);
});
