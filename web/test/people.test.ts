// Presence, typing and cursors: what is asked and told when, and what is forgotten.

import { type BlockRow, Blocks } from "../src/core/blocks";
import { floorOf, receiptOf } from "../src/core/floor";
import { PresenceWatch } from "../src/core/presence";
import { ConversationStream } from "../src/core/stream";
import { Telling } from "../src/core/telling";
import type { Conversation, Member } from "../src/core/types";
import { World } from "./world";

// @ts-expect-error the bundle runs in node, whose types this package does without
import assert from "node:assert/strict";
// @ts-expect-error as above
import test from "node:test";

const C = "c1";

function member(user_id: string, cursors: Partial<Member> = {}): Member {
	return { user_id, username: user_id, display_name: user_id, role: "member", rev: 1, left_at: null, ...cursors };
}

function streamOf(members: Member[], count = members.length): ConversationStream {
	const stream = new ConversationStream(C, "me");
	const item = { id: C, kind: "group", title: "t", members, member_count: count, last_message: null, unread_count: 0 };
	stream.applyItem({ ...item, read_seq: 0, last_seq: 9, last_rev: 9, created_at: "" } as Conversation);
	return stream;
}

test("typing is told at once, then every three seconds and a little while it goes on, and not after it was sent", async () => {
	const world = new World();
	const told: number[] = [];
	const telling = new Telling(() => (told.push(world.time), true), world);
	for (let at = 0; at < 7_000; at += 500) {
		await world.run(at);
		telling.typing(C);
	}
	await world.run(20_000);
	assert.deepEqual(told, [0, 3_250, 6_500, 9_750]);
	telling.typing(C);
	telling.typing(C);
	telling.sent();
	await world.run(40_000);
	assert.deepEqual(told.slice(4), [20_000]);
	telling.typing(C);
	telling.typing("c2");
	assert.deepEqual(told.slice(5), [40_000, 40_000], "another conversation is told at once");
});

test("what has come is told once, the newest of each conversation, one frame after the other", async () => {
	const world = new World();
	const told: unknown[] = [];
	let connected = true;
	const telling = new Telling((_, body) => (connected && told.push(body), connected), world);
	telling.delivered(C, 1);
	telling.delivered("c2", 5);
	telling.delivered(C, 2);
	await world.run(10_000);
	assert.deepEqual(told, [{ conversation_id: C, seq: 2 }, { conversation_id: "c2", seq: 5 }]);
	telling.delivered(C, 2);
	connected = false;
	telling.delivered("c2", 6);
	await world.run(20_000);
	connected = true;
	telling.delivered("c2", 6);
	await world.run(30_000);
	assert.deepEqual(told.slice(2), [{ conversation_id: "c2", seq: 6 }]);
});

test("a message has come as far as with the slowest of the others, whatever told it", () => {
	const stream = streamOf([member("me"), member("bob", { read_seq: 3, delivered_seq: 5 }), member("eve", { read_seq: 0, delivered_seq: 0 })]);
	const state = (seq: number) => receiptOf(seq, floorOf(stream));
	assert.equal(state(1), "sent");
	stream.receipts.pass({ type: "delivered.updated", user_id: "eve", seq: 4 }, 0);
	assert.deepEqual([state(4), state(5)], ["delivered", "sent"]);
	stream.receipts.pass({ type: "read.updated", user_id: "eve", seq: 2 }, 0);
	assert.deepEqual([state(2), state(3)], ["read", "delivered"]);
	stream.receipts.pass({ type: "read.updated", user_id: "eve", seq: 1 }, 0);
	assert.equal(state(2), "read", "cursors only grow");
	stream.applyMember({ ...member("eve"), rev: 12, left_at: "2026-01-01T00:00:00.000Z" });
	stream.conversation!.member_count = 2;
	assert.equal(state(3), "read", "who has left has no say");
});

test("of a large group, of members who are not known and of oneself alone nothing is said", () => {
	assert.equal(floorOf(streamOf([member("me"), member("bob")], 251)), null);
	assert.equal(floorOf(streamOf([member("me"), member("bob")], 3)), null);
	assert.equal(floorOf(streamOf([member("me")])), null);
});

test("those who are shown are watched once, and again on a new socket; without one nobody is known to be there", async () => {
	const world = new World();
	const asked: string[][] = [];
	const presence = new PresenceWatch(
		async (ids) => {
			asked.push(ids);
			return { type: "", items: ids.map((user_id) => ({ user_id, connection_status: "online" as const, last_seen: "2026-01-01T00:00:00.000Z" })) };
		},
		world,
		() => {},
	);
	const status = (id: string) => presence.of(id).connection_status;
	presence.show(["bob"]);
	await world.run(1_000);
	assert.equal(asked.length, 0, "there is no socket");
	presence.link(true);
	presence.show(["eve", "bob", "bob"]);
	await world.run(2_000);
	presence.show(["bob", "eve"]);
	await world.run(3_000);
	assert.deepEqual(asked, [["eve", "bob"]]);
	assert.equal(status("bob"), "online");
	presence.frame({ type: "presence.updated", items: [{ user_id: "bob", connection_status: "offline", last_seen: "2026-01-02T00:00:00.000Z" }] });
	assert.deepEqual([status("bob"), status("eve"), status("dan")], ["offline", "online", "unknown"]);
	presence.frame({ type: "presence.count", conversation_id: C, online: 412 });
	assert.equal(presence.count(C), 412);
	presence.frame({ type: "presence.unknown" });
	assert.deepEqual([status("bob"), status("eve"), presence.count(C)], ["unknown", "unknown", undefined]);
	presence.link(false);
	assert.deepEqual([status("bob"), status("eve")], ["unknown", "unknown"]);
	assert.equal(presence.of("bob").last_seen, "2026-01-02T00:00:00.000Z");
	presence.link(true);
	await world.run(4_000);
	assert.equal(status("eve"), "online");
	presence.show(Array.from({ length: 300 }, (_, n) => `u${n}`));
	await world.run(5_000);
	assert.equal(asked.at(-1)?.length, 200);
});

test("who is blocked is what the newest row says, and a sync for all of it begins anew", () => {
	const blocks = new Blocks();
	const answer = (me: number, ...rows: BlockRow[]) => ({ epoch: "e", me: { rev: me, memberships: [], blocks: rows }, conversations: [], removed: [], next_cursor: null });
	blocks.synced(answer(5, { user_id: "bob", blocked: true, me: 5 }), true);
	blocks.frame({ type: "block.updated", user_id: "bob", blocked: false, me: 7 });
	blocks.frame({ type: "changes", blocks: [{ user_id: "bob", blocked: true, me: 6 }, { user_id: "eve", blocked: true, me: 8 }] });
	assert.deepEqual([blocks.has("bob"), blocks.has("eve"), blocks.has("dan")], [false, true, false]);
	blocks.synced(answer(3, { user_id: "dan", blocked: true, me: 2 }), true);
	assert.deepEqual([blocks.has("bob"), blocks.has("eve"), blocks.has("dan")], [false, false, true]);
});

test("a conversation is muted as the newest word on it says, and another setting takes nothing away", () => {
	const stream = streamOf([member("me"), member("bob")]);
	stream.applySettings({ me: 4, muted_until: "2099-01-31T23:59:59.123Z" });
	stream.applySettings({ me: 5 });
	stream.applySettings({ me: 3, muted_until: null });
	assert.equal(stream.mutedUntil, "2099-01-31T23:59:59.123Z");
	stream.applySettings({ me: 7, role: "admin" });
	stream.applySettings({ me: 6, muted_until: null });
	assert.deepEqual([stream.mutedUntil, stream.role], [null, "admin"]);
});
