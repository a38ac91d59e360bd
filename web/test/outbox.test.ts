// The outbox: what is tried again, what is not, and that nothing keeps the messages behind it waiting for ever.

import { Outbox, type Outgoing, type OutboxStore } from "../src/core/outbox";
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

/** A store as a browser's is for one tab after the other: what is put is a copy. */
class Shelf implements OutboxStore {
	readonly kept = new Map<string, Outgoing>();
	log: string[] = [];

	constructor(private readonly world: World) {}

	private async soon<T>(what: string, run: () => T): Promise<T> {
		await new Promise<void>((resolve) => this.world.after(3, resolve));
		this.log.push(what);
		return structuredClone(run());
	}

	take = () => this.soon("take", () => [...this.kept.values()].reverse());
	put = (entry: Outgoing) => this.soon("put", () => void this.kept.set(entry.id, structuredClone(entry)));
	remove = (id: string) => this.soon("remove", () => void this.kept.delete(id));
	clear = () => this.soon("clear", () => this.kept.clear());
	leaving = () => {};
}

/** A page: its outbox on this shelf, until it ends. */
function page(world: World, shelf: OutboxStore, answer: (entry: Outgoing) => Message | Promise<Message>): { outbox: Outbox; sent: string[] } {
	const sent: string[] = [];
	const send = async (entry: Outgoing) => {
		sent.push(entry.content);
		return answer(entry);
	};
	return { outbox: new Outbox(send, world, () => {}, shelf), sent };
}

const down = () => {
	throw new Failure(0, "unreachable", "", true);
};

test("what was on its way when the page ended is sent by the next one, with its ids, in order, before what is new", async () => {
	const world = new World();
	const shelf = new Shelf(world);
	const before = page(world, shelf, down);
	for (const text of ["one", "two", "three"]) before.outbox.add({ lane: "a" }, text);
	await world.run(A_MINUTE);
	const ids = before.outbox.entries.map((entry) => entry.id);
	before.outbox.end();
	assert.deepEqual([...shelf.kept.keys()], ids);

	const tried: string[] = [];
	const after = page(world, shelf, (entry) => (tried.push(entry.id), stored));
	after.outbox.add({ lane: "a" }, "four");
	await world.run(2 * A_MINUTE);
	assert.deepEqual(after.sent, ["one", "two", "three", "four"]);
	assert.deepEqual(tried.slice(0, 3), ids);
	assert.deepEqual(after.outbox.entries, []);
	assert.equal(shelf.kept.size, 0);
});

test("a message is written down before it is sent, and a store that never answers holds it up for 2 s", async () => {
	const world = new World();
	const shelf = new Shelf(world);
	const { outbox, sent } = page(world, shelf, () => {
		assert.equal(shelf.kept.size, 1);
		return stored;
	});
	outbox.add({ lane: "a" }, "one");
	await world.run(A_MINUTE);
	assert.deepEqual(sent, ["one"]);
	const never = new Promise<never>(() => {});
	const deaf = page(world, { take: () => never, put: () => never, remove: () => never, clear: () => never, leaving: () => {} }, () => stored);
	deaf.outbox.add({ lane: "a" }, "one");
	await world.run(A_MINUTE + 1_900);
	assert.deepEqual(deaf.sent, []);
	await world.run(2 * A_MINUTE);
	assert.deepEqual(deaf.sent, ["one"]);
});

test("what has failed is kept with its reason, for the person to try again or to discard", async () => {
	const world = new World();
	const shelf = new Shelf(world);
	const before = page(world, shelf, () => {
		throw new Failure(422, "too_long", "too long", false);
	});
	before.outbox.add({ lane: "a" }, "one");
	before.outbox.add({ lane: "a" }, "two");
	await world.run(A_MINUTE);
	before.outbox.end();
	const after = page(world, shelf, () => stored);
	await world.run(2 * A_MINUTE);
	assert.deepEqual(after.sent, [], "not by itself");
	assert.deepEqual(after.outbox.entries.map((entry) => [entry.content, entry.state, entry.reason]), [["one", "failed", "too long"], ["two", "failed", "too long"]]);
	after.outbox.retry(after.outbox.entries[0]!.id);
	after.outbox.remove(after.outbox.entries[1]!.id);
	await world.run(3 * A_MINUTE);
	assert.deepEqual(after.sent, ["one"]);
	assert.equal(shelf.kept.size, 0);
});

test("logging out forgets them; a session that ends otherwise keeps them, and its last refusal fails none", async () => {
	const world = new World();
	const shelf = new Shelf(world);
	const ended = page(world, shelf, async () => {
		ended.outbox.end();
		throw new Failure(401, "session_over", "", false);
	});
	ended.outbox.add({ lane: "a" }, "one");
	await world.run(A_MINUTE);
	assert.deepEqual([...shelf.kept.values()].map((entry) => entry.state), ["pending"]);
	const again = page(world, shelf, down);
	await world.run(2 * A_MINUTE);
	assert.ok(again.sent.length > 1);
	void again.outbox.forget();
	await world.run(3 * A_MINUTE);
	assert.equal(shelf.kept.size, 0);
});

test("what the log had accepted is sent again by the next page", async () => {
	const world = new World();
	const shelf = new Shelf(world);
	const accepted = { seq: null, rev: null } as Message;
	const before = page(world, shelf, () => accepted);
	before.outbox.add({ lane: "a" }, "one");
	await world.run(A_MINUTE);
	assert.deepEqual(before.sent, ["one"]);
	before.outbox.end();
	const after = page(world, shelf, () => stored);
	await world.run(2 * A_MINUTE);
	assert.deepEqual(after.sent, ["one"]);
	assert.equal(shelf.kept.size, 0);
});

test("what is found twice is held once", async () => {
	const world = new World();
	const shelf = new Shelf(world);
	const { outbox, sent } = page(world, shelf, down);
	outbox.add({ lane: "a" }, "one");
	await world.run(100);
	void outbox.adopt();
	void outbox.adopt();
	await world.run(A_MINUTE);
	assert.deepEqual(outbox.entries.map((entry) => entry.content), ["one"]);
	assert.ok(sent.length > 1);
});

test("a wait that the server has asked for is said, and no network that comes back ends it", async () => {
	const { world, outbox, sent } = outboxWith((tries) => {
		if (tries === 1) throw new Failure(429, "slow_mode", "slowly", true, 30_000);
		return stored;
	});
	outbox.add({ lane: "a" }, "text");
	await world.run(1_000);
	assert.deepEqual(outbox.entries[0]?.waits, { until: 30_000, code: "slow_mode" });
	outbox.wake();
	await world.run(29_900);
	assert.equal(sent.length, 1);
	await world.run(30_100);
	assert.equal(sent.length, 2);
	assert.equal(outbox.entries.length, 0);
});

test("what waits for its time can be thrown away, and what is behind it goes", async () => {
	const { world, outbox, sent } = outboxWith((tries) => {
		if (tries === 1) throw new Failure(429, "rate_limited", "slowly", true, 30_000);
		return stored;
	});
	outbox.add({ lane: "a" }, "first");
	outbox.add({ lane: "a" }, "second");
	await world.run(1_000);
	outbox.remove(sent[0]!.id);
	outbox.wake();
	await world.run(2_000);
	assert.deepEqual(sent.map((one) => one.content), ["first", "second"]);
});
