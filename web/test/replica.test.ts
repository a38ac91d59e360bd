// The core against a server that loses, repeats, delays and reorders what it pushes, while pulls race with it: in every
// schedule the device ends with what the server holds, shows each message once and in order, and at no moment does `known`
// say more than is so. Time is simulated, so hundreds of schedules take a moment. STONECHAT_SEED begins elsewhere.

import { Outbox } from "../src/core/outbox";
import type { Source } from "../src/core/ports";
import { readQuoted } from "../src/core/quotes";
import { Replica } from "../src/core/replica";
import { type Changes, type Conversation, Failure, type Frame, type Member, type Message, type StoredMessage } from "../src/core/types";
import { World } from "./world";

// @ts-expect-error the bundle runs in node, whose types this package does without
import assert from "node:assert/strict";
// @ts-expect-error as above
import { webcrypto } from "node:crypto";
// @ts-expect-error as above
import test from "node:test";

globalThis.crypto ??= webcrypto; // Node 18 has it by import only

const ME = "me";
const OTHER = "other";
const SCHEDULES = 600;

declare const process: { env: Record<string, string | undefined> };
const FIRST = Number(process.env["STONECHAT_SEED"] ?? 1);

/** Random numbers that a seed repeats. */
function dice(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

interface Room {
	id: string;
	rev: number;
	meMember: { rev: number; member: boolean };
	messages: StoredMessage[];
	read: number;
}

/** The server as far as one person sees it: rooms, the person's stream, and an unreliable push. */
class Server {
	readonly rooms = new Map<string, Room>();
	readonly memberships = new Map<string, number>(); // room -> me
	epoch = "one";
	me = 0;
	push: (frame: Frame) => void = () => {};

	room(id: string): Room {
		let room = this.rooms.get(id);
		if (!room) {
			room = { id, rev: 1, meMember: { rev: 1, member: true }, messages: [], read: 0 };
			this.rooms.set(id, room);
			this.memberships.set(id, ++this.me);
			this.push({ type: "conversation.created", me: this.me, conversation: this.item(room) });
		}
		return room;
	}

	post(id: string, sender: string, content: string, messageId: string): StoredMessage {
		const room = this.room(id);
		const old = room.messages.find((one) => one.id === messageId);
		if (old) return old;
		const seq = room.messages.length + 1;
		const message: StoredMessage = {
			id: messageId,
			conversation_id: id,
			seq,
			rev: ++room.rev,
			sender_id: sender,
			recipient_id: null,
			content,
			timestamp: new Date(seq * 1000).toISOString(),
		};
		room.messages.push(message);
		this.tell(room, { type: "message.created", message });
		return message;
	}

	edit(id: string, index: number, content: string): void {
		const room = this.room(id);
		const old = room.messages[index % Math.max(1, room.messages.length)];
		if (old?.sender_id !== OTHER || old.deleted) return;
		const message = { ...old, content, rev: ++room.rev };
		room.messages[old.seq - 1] = message;
		this.tell(room, { type: "message.updated", message });
	}

	remove(id: string, index: number): void {
		const room = this.room(id);
		const old = room.messages[index % Math.max(1, room.messages.length)];
		if (old?.sender_id !== OTHER || old.deleted) return;
		const message = { ...old, content: null, deleted: true, reactions: [], rev: ++room.rev };
		room.messages[old.seq - 1] = message;
		this.tell(room, { type: "message.deleted", message });
	}

	read(id: string, seq: number): void {
		const room = this.room(id);
		if (!room.meMember.member || seq <= room.read) return;
		room.read = seq;
		this.memberships.set(id, ++this.me);
		this.push({ type: "read.updated", me: this.me, conversation_id: id, user_id: ME, seq });
	}

	react(id: string, index: number, emoji: string): void {
		const room = this.room(id);
		const old = room.messages[index % Math.max(1, room.messages.length)];
		if (!old || old.deleted) return;
		const reactions = [...(old.reactions ?? []), { emoji, count: 1, user_ids: [OTHER] }];
		const message = { ...old, reactions, rev: ++room.rev };
		room.messages[old.seq - 1] = message;
		this.tell(room, { type: "reaction.updated", message_id: old.id, seq: old.seq, reactions });
	}

	member(id: string, member: boolean): void {
		const room = this.room(id);
		if (room.meMember.member === member) return;
		room.meMember = { rev: ++room.rev, member };
		this.memberships.set(id, ++this.me);
		if (member) this.push({ type: "conversation.created", me: this.me, conversation: this.item(room) });
		else this.push({ type: "conversation.removed", conversation_id: id, rev: room.rev, me: this.me });
	}

	private tell(room: Room, frame: Frame): void {
		if (room.meMember.member) this.push({ ...frame, conversation_id: room.id, rev: room.rev });
	}

	item(room: Room): Conversation {
		const member = (user_id: string, rev: number): Member => ({ user_id, username: user_id, display_name: user_id, role: "member", rev });
		return {
			id: room.id,
			kind: "direct",
			title: null,
			members: [member(ME, room.meMember.rev), member(OTHER, 1)],
			member_count: 2,
			last_message: room.messages.at(-1) ?? null,
			unread_count: 0,
			read_seq: room.read,
			last_seq: room.messages.length,
			last_rev: room.rev,
			created_at: new Date(0).toISOString(),
		};
	}

	mine(id: string): Room {
		const room = this.rooms.get(id);
		if (!room?.meMember.member) throw new Failure(404, "not_found", "", false);
		return room;
	}

	changes(id: string, after: number): Changes {
		const room = this.mine(id);
		const rows = room.messages.filter((one) => one.rev > after).sort((a, b) => a.rev - b.rev);
		const page = rows.slice(0, 5);
		const more = rows.length > page.length;
		return {
			messages: page,
			members: room.meMember.rev > after ? this.item(room).members.slice(0, 1) : [],
			conversation: null,
			next_after_rev: more ? page.at(-1)!.rev : room.rev,
			last_rev: room.rev,
			has_more: more,
		};
	}
}

function sourceOf(server: Server, world: World, roll: () => number): Source {
	/** Half of the delay before the server reads, half after; sometimes there is no answer. */
	const ask = <T>(read: () => T): Promise<T> =>
		new Promise((resolve, reject) => {
			world.after(roll() * 60, () => {
				if (roll() < 0.1) return world.after(5, () => reject(new Failure(0, "unreachable", "", true)));
				try {
					const answer = structuredClone(read());
					return world.after(roll() * 60, () => resolve(answer));
				} catch (error) {
					return world.after(roll() * 60, () => reject(error));
				}
			});
		});
	return {
		sync: (request) =>
			ask(() => ({
				epoch: server.epoch,
				me: {
					rev: server.me,
					memberships: [...server.memberships]
						.filter(([, me]) => me > (request.me ?? 0))
						.map(([id, me]) => ({ conversation_id: id, ...server.rooms.get(id)!.meMember, read_seq: server.rooms.get(id)!.read, me })),
				},
				conversations: [...server.rooms.values()]
					.filter((room) => room.meMember.member && request.known?.[room.id] !== room.rev)
					.map((room) => ({ conversation_id: room.id, last_seq: room.messages.length, last_rev: room.rev })),
				removed: Object.keys(request.known ?? {}).filter((id) => !server.rooms.get(id)?.meMember.member),
				next_cursor: null,
			})),
		conversations: () =>
			ask(() => ({ items: [...server.rooms.values()].filter((one) => one.meMember.member).map((one) => server.item(one)), next_cursor: null })),
		conversation: (id) => ask(() => server.item(server.mine(id))),
		message: (id, messageId) => ask(() => server.mine(id).messages.find((one) => one.id === messageId)!),
		changes: (id, after) => ask(() => server.changes(id, after)),
		messages: (id, before) =>
			ask(() => {
				const room = server.mine(id);
				const all = room.messages.filter((one) => before === null || one.seq < before);
				const items = all.slice(-5);
				return { items, has_more_before: all.length > items.length, has_more_after: before !== null, last_seq: room.messages.length, last_rev: room.rev };
			}),
	};
}

/** What should be applied because `known` says so, is. */
function unapplied(server: Server, replica: Replica): void {
	if (replica.epoch !== server.epoch) return;
	for (const stream of replica.streams.values()) {
		const held = new Map(stream.messages().map((row) => [row.seq, row]));
		for (const row of server.rooms.get(stream.id)?.messages ?? []) {
			if (stream.low === null || row.seq < stream.low || row.rev > (stream.known ?? 0)) continue;
			assert.deepEqual({ ...held.get(row.seq), rev: 0 }, { ...row, rev: 0 }, `at ${stream.known} of ${stream.id}`);
		}
	}
}

/** One schedule: traffic, losses, reconnects and now and then another epoch; then the server's heads check has its say. */
async function schedule(seed: number): Promise<void> {
	const roll = dice(seed);
	Math.random = roll; // the backoff's
	const world = new World();
	const server = new Server();
	for (const id of ["a", "b"]) for (let i = 0; i < 12; i++) server.post(id, OTHER, `old ${i}`, `${id}-old-${i}`);
	let outbox: Outbox | null = null;
	const replica = new Replica(ME, sourceOf(server, world, roll), world, {
		changed: () => {},
		stored: (message) => outbox?.remove(message.id),
		rejected: () => {},
		refused: (failure) => assert.fail(failure.message),
	});
	let connection = 0;
	const connect = () => {
		const now = ++connection;
		const known = replica.known();
		let at = world.time;
		const send = (frame: Frame) => {
			at = Math.max(at, world.time + roll() * 30); // in order, as a socket delivers
			const bytes = structuredClone(frame);
			world.after(at - world.time, () => now === connection && replica.frame(bytes));
		};
		const other = known.epoch !== undefined && known.epoch !== server.epoch;
		send({ type: "hello", epoch: server.epoch, me: server.me, ...(other ? { sync_required: true } : {}) });
		if (known.known && !other) {
			for (const id of Object.keys(known.known)) {
				const room = server.rooms.get(id);
				if (!room?.meMember.member) send({ type: "conversation.removed", conversation_id: id, rev: room?.rev ?? 0 });
			}
			for (const room of server.rooms.values()) {
				if (!room.meMember.member || known.known[room.id] === room.rev) continue;
				send({ type: "gap", conversation_id: room.id, last_rev: room.rev, pull_after_ms: roll() < 0.5 ? 0 : 300 });
			}
		}
		const straggle = (frame: Frame) => {
			const bytes = structuredClone(frame);
			world.after(roll() * 300, () => now === connection && replica.frame(structuredClone(bytes)));
		};
		server.push = (frame) => {
			const lot = roll();
			if (lot > 0.25) {
				if (lot < 0.4 && frame.type !== "conversation.created") straggle(frame); // in another order than the rest
				else send(frame);
				if (lot > 0.9 && frame.type !== "conversation.created") straggle(frame); // once more
			}
			else if (frame.conversation_id && frame.type !== "conversation.removed") {
				const lost = frame.conversation_id;
				if (roll() < 0.5) world.after(250, () => send({ type: "gap", conversation_id: lost, last_rev: server.rooms.get(lost)?.rev ?? 0 }));
			}
		};
	};
	outbox = new Outbox(
		async (entry) => {
			const mark = replica.mark(entry.to.conversation_id);
			await new Promise<void>((resolve) => world.after(roll() * 40, resolve));
			if (roll() < 0.15) throw new Failure(0, "lost", "", true);
			const message = server.post(entry.to.conversation_id!, ME, entry.content, entry.id) as Message;
			await new Promise<void>((resolve) => world.after(roll() * 40, resolve));
			if (roll() < 0.15) throw new Failure(0, "lost", "", true);
			replica.reply(structuredClone(message) as StoredMessage, mark);
			return message;
		},
		world,
		() => {},
	);
	void replica.start().then(connect);
	await world.run(400);
	const sent: string[] = [];
	for (let step = 0; step < 40; step++) {
		const id = "abc"[Math.floor(roll() * 3)]!;
		const what = roll();
		if (what < 0.4) server.post(id, OTHER, `text ${step}`, `m-${step}`);
		else if (what < 0.45) server.edit(id, Math.floor(roll() * 100), `edited ${step}`);
		else if (what < 0.46) server.remove(id, Math.floor(roll() * 100));
		else if (what < 0.52) server.react(id, Math.floor(roll() * 100), `emoji ${step}`);
		else if (what < 0.6 && id !== "b") server.member(id, roll() < 0.5);
		else if (what < 0.7) replica.older(id).catch(() => {});
		else if (what < 0.8) {
			outbox.add({ lane: "b", conversation_id: "b" }, `mine ${step}`);
			sent.push(`mine ${step}`);
		} else if (what < 0.9) connect();
		else if (what < 0.94) server.read(id, Math.floor(roll() * 20));
		else if (what < 0.96) {
			server.epoch = `epoch ${step}`;
			connect();
		}
		await world.run(world.time + roll() * 200);
		unapplied(server, replica);
	}
	await world.run(world.time + 60_000);
	connect(); // what a heads check of the server would say, all at once
	await world.run(world.time + 60_000);

	assert.deepEqual(outbox.entries, []);
	const texts = server.rooms.get("b")!.messages.filter((one) => one.sender_id === ME).map((one) => one.content);
	assert.deepEqual(texts, sent, "one's own messages are stored once, in the order they were written");
	const mine = [...server.rooms.values()].filter((room) => room.meMember.member);
	assert.deepEqual([...replica.streams.keys()].sort(), mine.map((room) => room.id).sort());
	for (const room of mine) {
		const stream = replica.streams.get(room.id)!;
		assert.equal(stream.known, room.rev);
		assert.equal(stream.readSeq, room.read);
		for (let pages = 0; stream.low === null || stream.hasMoreBefore; pages++) {
			assert.ok(pages < 100);
			const reading = replica.older(room.id).catch(() => {});
			await world.run(world.time + 1_000);
			await reading;
		}
		const shown = (row: StoredMessage) => ({ ...row, rev: 0 }); // reactions that came alone leave the row its rev
		assert.deepEqual(stream.messages().map(shown), room.messages.map(shown));
	}
	replica.end();
	outbox.end();
}

test("every schedule ends in what the server holds", async () => {
	for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++) {
		try {
			await schedule(seed);
		} catch (error) {
			(error as Error).message = `STONECHAT_SEED=${seed}: ${(error as Error).message}`;
			throw error;
		}
	}
});

test("unread is derived: others' messages above the cursor", async () => {
	const world = new World();
	const server = new Server();
	server.post("a", OTHER, "one", "1");
	const replica = new Replica(ME, sourceOf(server, world, () => 0.5), world, { changed() {}, stored() {}, rejected() {}, refused() {} });
	void replica.start();
	await world.run(1_000);
	const stream = replica.streams.get("a")!;
	replica.frame({ type: "message.created", conversation_id: "a", rev: 3, message: server.post("a", OTHER, "two", "2") });
	assert.equal(stream.unread(), 1);
	replica.frame({ type: "message.created", conversation_id: "a", rev: 4, message: server.post("a", ME, "three", "3") });
	assert.equal(stream.unread(), 0, "having written implies having read");
	replica.frame({ type: "message.created", conversation_id: "a", rev: 5, message: server.post("a", OTHER, "four", "4") });
	assert.equal(stream.unread(), 1);
	replica.frame({ type: "read.updated", me: 3, conversation_id: "a", user_id: OTHER, seq: 4 });
	assert.equal(stream.unread(), 1, "somebody else's cursor");
	replica.frame({ type: "read.updated", me: 3, conversation_id: "a", user_id: ME, seq: 4 });
	assert.equal(stream.unread(), 0, "read on another device");
	replica.frame({ type: "read.updated", me: 4, conversation_id: "a", user_id: ME, seq: 2 });
	assert.equal(stream.unread(), 0, "a cursor only grows");
	replica.end();
});

test("a reaction that overtakes an edit doesn't hide it", async () => {
	const world = new World();
	const server = new Server();
	server.post("a", OTHER, "one", "1");
	const replica = new Replica(ME, sourceOf(server, world, () => 0.5), world, { changed() {}, stored() {}, rejected() {}, refused() {} });
	void replica.start();
	await world.run(1_000);
	void replica.older("a");
	await world.run(2_000);
	server.edit("a", 0, "edited"); // lost
	server.push = (frame) => replica.frame(frame);
	server.react("a", 0, "x");
	const stream = replica.streams.get("a")!;
	assert.equal(stream.messages()[0]?.content, "one");
	assert.deepEqual(stream.messages()[0]?.reactions?.map((one) => one.emoji), ["x"]);
	await world.run(3_000);
	assert.equal(stream.messages()[0]?.content, "edited");
	assert.equal(stream.known, 4);
	replica.end();
});

test("what is quoted and not held is read, once", async () => {
	const world = new World();
	const server = new Server();
	for (let i = 1; i <= 9; i++) server.post("a", OTHER, `text ${i}`, `${i}`);
	let asked = 0;
	const source = sourceOf(server, world, () => 0.5);
	const counting: Source = { ...source, message: (id, messageId) => (asked++, source.message(id, messageId)) };
	const replica = new Replica(ME, counting, world, { changed() {}, stored() {}, rejected() {}, refused() {} });
	void replica.start();
	await world.run(1_000);
	void replica.older("a");
	await world.run(2_000);
	const stream = replica.streams.get("a")!;
	void readQuoted(replica, counting, "a", "1");
	void readQuoted(replica, counting, "a", "1");
	void readQuoted(replica, counting, "a", "9");
	await world.run(3_000);
	assert.equal(asked, 1);
	assert.equal(stream.find("1")?.content, "text 1");
	assert.deepEqual(stream.messages().map((row) => row.id), ["5", "6", "7", "8", "9"], "and not shown in the run");
	replica.end();
});
