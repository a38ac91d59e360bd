// The outbox: what is tried again, what is not, and that nothing keeps the messages behind it waiting for ever.

import { Outbox } from "../src/core/outbox";
import { Failure, type Message } from "../src/core/types";
import { World } from "./world";

// @ts-expect-error the bundle runs in node, whose types this package does without
import assert from "node:assert/strict";
// @ts-expect-error as above
import { webcrypto } from "node:crypto";
// @ts-expect-error as above
import test from "node:test";

globalThis.crypto ??= webcrypto; // Node 18 has it by import only
console.error = () => {}; // where an answer is told that nobody expected

const A_MINUTE = 60_000;

/** An outbox whose network answers each try, counted from 1, as it is told. */
function outboxWith(answer: (tries: number) => Message | undefined): { world: World; outbox: Outbox; sent: { id: string; content: string }[] } {
	const world = new World();
	const sent: { id: string; content: string }[] = [];
	const outbox = new Outbox(
		async (entry) => {
			sent.push({ id: entry.id, content: entry.content });
			return answer(sent.length) as Message;
		},
		world,
		() => {},
	);
	return { world, outbox, sent };
}

const stored = { seq: 1, rev: 1 } as Message;

test("what the server refuses for good fails and can be sent again with the same id", async () => {
	const { world, outbox, sent } = outboxWith((tries) => {
		if (tries === 1) throw new Failure(422, "too_long", "too long", false);
		return stored;
	});
	outbox.add({ lane: "a" }, "text");
	await world.run(A_MINUTE);
	assert.equal(outbox.entries[0]?.state, "failed");
	assert.equal(outbox.entries[0]?.reason, "too long");
	assert.equal(sent.length, 1);
	outbox.retry(sent[0]!.id);
	await world.run(2 * A_MINUTE);
	assert.equal(outbox.entries.length, 0);
	assert.equal(sent[0]!.id, sent[1]!.id);
});

test("what is retryable is sent until it is answered, not before the server's time, with one id", async () => {
	const { world, outbox, sent } = outboxWith((tries) => {
		if (tries < 4) throw new Failure(503, "busy", "busy", true, 5_000);
		return stored;
	});
	outbox.add({ lane: "a" }, "text");
	await world.run(4_900);
	assert.equal(sent.length, 1);
	await world.run(A_MINUTE);
	assert.equal(sent.length, 4);
	assert.equal(new Set(sent.map((one) => one.id)).size, 1);
	assert.deepEqual(outbox.entries, []);
});

test("a reply without a message is no answer: it is sent again, and the lane goes on", async () => {
	const { world, outbox, sent } = outboxWith((tries) => (tries === 1 ? undefined : stored));
	outbox.add({ lane: "a" }, "one");
	outbox.add({ lane: "a" }, "two");
	await world.run(A_MINUTE);
	assert.deepEqual(sent.map((one) => one.content), ["one", "one", "two"]);
	assert.equal(sent[0]!.id, sent[1]!.id);
	assert.deepEqual(outbox.entries, []);
	outbox.add({ lane: "a" }, "three");
	await world.run(2 * A_MINUTE);
	assert.equal(sent.at(-1)?.content, "three");
});

test("a message that failed does not hold up those written after it", async () => {
	const { world, outbox, sent } = outboxWith((tries) => {
		if (tries === 1) throw new Failure(422, "too_long", "too long", false);
		return stored;
	});
	outbox.add({ lane: "a" }, "too long");
	outbox.add({ lane: "a" }, "short");
	await world.run(A_MINUTE);
	assert.deepEqual(sent.map((one) => one.content), ["too long", "short"]);
	assert.deepEqual(outbox.entries.map((entry) => entry.content), ["too long"]);
});
