// Changes on their way out, what is shown of them, read marks, and the renewal of a token: what is tried again and what isn't.

import { ChangeQueue, type PendingChange, withChanges } from "../src/core/changes";
import { Keeper } from "../src/core/keeper";
import { ReadMarks } from "../src/core/read_marks";
import { Failure, type StoredMessage } from "../src/core/types";
import { World } from "./world";

// @ts-expect-error the bundle runs in node, whose types this package does without
import assert from "node:assert/strict";
// @ts-expect-error as above
import { webcrypto } from "node:crypto";
// @ts-expect-error as above
import test from "node:test";

globalThis.crypto ??= webcrypto; // Node 18 has it by import only

const A_MINUTE = 60_000;
const ROW: StoredMessage = {
	id: "m",
	conversation_id: "a",
	seq: 1,
	rev: 1,
	sender_id: "me",
	recipient_id: null,
	content: "text",
	timestamp: "2026-01-31T23:59:59.123Z",
	edited_at: null,
	deleted: false,
	reactions: [{ emoji: "👍", count: 1, user_ids: ["other"] }],
};

const busy = (waitMs = 0) => new Failure(503, "busy", "busy", true, waitMs);
const refused = () => new Failure(409, "message_deleted", "It was deleted.", false);

function queueWith(answer: (tries: number, entry: PendingChange) => void): { world: World; queue: ChangeQueue; sent: string[] } {
	const world = new World();
	const sent: string[] = [];
	const queue = new ChangeQueue(
		async (entry) => {
			sent.push(entry.change.action);
			answer(sent.length, entry);
		},
		world,
		() => {},
	);
	return { world, queue, sent };
}

test("changes of a message go in their order, each until it is answered", async () => {
	const { world, queue, sent } = queueWith((tries) => {
		if (tries < 3) throw busy();
	});
	queue.add(ROW, { action: "edit", content: "new" });
	queue.add(ROW, { action: "react", emoji: "🎉" });
	queue.add(ROW, { action: "delete" });
	await world.run(A_MINUTE);
	assert.deepEqual(sent, ["edit", "edit", "edit", "react", "delete"]);
	assert.deepEqual(queue.entries, []);
});

test("a change that is refused says why, is shown no more, and a new one takes its place", async () => {
	const { world, queue, sent } = queueWith((tries) => {
		if (tries === 1) throw refused();
	});
	queue.add(ROW, { action: "edit", content: "new" });
	assert.equal(withChanges(ROW, queue.of("m"), "me").content, "new");
	await world.run(A_MINUTE);
	assert.equal(queue.entries[0]?.reason, "It was deleted.");
	assert.equal(withChanges(ROW, queue.of("m"), "me"), ROW);
	queue.add(ROW, { action: "edit", content: "newer" });
	await world.run(2 * A_MINUTE);
	assert.deepEqual(sent, ["edit", "edit"]);
	assert.deepEqual(queue.entries, []);
});

test("what is pending is shown as done", () => {
	const { queue } = queueWith(() => {});
	const shown = (...changes: Parameters<ChangeQueue["add"]>[1][]) => {
		queue.entries = [];
		for (const change of changes) queue.add(ROW, change);
		return withChanges(ROW, queue.of("m"), "me");
	};
	assert.equal(shown(), ROW);
	assert.deepEqual(shown({ action: "react", emoji: "👍" }).reactions, [{ emoji: "👍", count: 2, user_ids: ["other", "me"] }]);
	assert.deepEqual(shown({ action: "react", emoji: "👍" }, { action: "unreact", emoji: "👍" }).reactions, ROW.reactions);
	assert.equal(shown({ action: "react", emoji: "🎉" }).reactions?.length, 2);
	assert.equal(shown({ action: "react", emoji: "🎉" }, { action: "unreact", emoji: "🎉" }).reactions?.length, 1);
	assert.equal(shown({ action: "unreact", emoji: "🎉" }), ROW, "it is so already");
	const deleted = shown({ action: "edit", content: "new" }, { action: "delete" }, { action: "react", emoji: "🎉" });
	assert.deepEqual([deleted.content, deleted.deleted, deleted.reactions], [null, true, []]);
});

test("read marks: one at a time, then only the newest, until there is an answer", async () => {
	const world = new World();
	const told: number[] = [];
	const marks = new ReadMarks(async (_id, seq) => {
		told.push(seq);
		await new Promise<void>((resolve) => world.after(100, resolve));
		if (told.length === 2) throw busy();
		if (seq === 9) throw refused();
	}, world);
	for (const seq of [1, 2, 3, 2]) marks.set("a", seq);
	await world.run(A_MINUTE);
	assert.deepEqual(told, [1, 3, 3]);
	marks.set("a", 9);
	await world.run(2 * A_MINUTE);
	assert.deepEqual(told, [1, 3, 3, 9], "what is refused is dropped");
	marks.set("a", 10);
	await world.run(3 * A_MINUTE);
	assert.equal(told.at(-1), 10);
});

test("a lower mark is told after a higher one was told or refused", async () => {
	const world = new World();
	const told: number[] = [];
	const marks = new ReadMarks(async (_id, seq) => {
		told.push(seq);
		if (seq === 9) throw refused();
	}, world);
	for (const seq of [9, 4, 2]) {
		marks.set("a", seq);
		await world.run(world.time + A_MINUTE);
	}
	assert.deepEqual(told, [9, 4, 2]);
});

for (const status of [400, 401, 403, 404, 422]) {
	test(`a renewal that is answered ${status} is not asked again`, async () => {
		const world = new World();
		let asked = 0;
		const keeper = new Keeper(async () => {
			asked++;
			throw new Failure(status, "refused", "", false);
		}, world);
		keeper.dueIn(5_000);
		await world.run(4_900);
		assert.equal(asked, 0);
		await world.run(60 * A_MINUTE);
		assert.equal(asked, 1);
	});
}

test("a renewal that may pass is asked again, not before the server's time; a new plan replaces the old one", async () => {
	const world = new World();
	const asked: number[] = [];
	const keeper = new Keeper(async () => {
		asked.push(world.time);
		if (asked.length === 1) throw busy(30_000);
		if (asked.length < 4) throw busy();
	}, world);
	keeper.dueIn(1_000);
	await world.run(10 * A_MINUTE);
	assert.equal(asked.length, 4);
	assert.ok(asked[1]! >= 31_000);
	keeper.dueIn(1_000);
	keeper.dueIn(5_000);
	await world.run(11 * A_MINUTE);
	assert.equal(asked.length, 5);
	keeper.dueIn(1_000);
	keeper.end();
	await world.run(12 * A_MINUTE);
	assert.equal(asked.length, 5);
});
