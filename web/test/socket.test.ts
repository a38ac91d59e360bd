// The socket against a server that refuses and closes: what follows is decided by the close code, and by it alone.

import { Failure, type Frame } from "../src/core/types";
import { Socket } from "../src/net/socket";
import { World } from "./world";

// @ts-expect-error the bundle runs in node, whose types this package does without
import assert from "node:assert/strict";
// @ts-expect-error as above
import test from "node:test";

const A_MINUTE = 60_000;

class FakeSocket {
	onopen = (): void => {};
	onmessage = (_event: { data: string }): void => {};
	onclose = (_event: { code: number }): void => {};
	readonly sent: { id: number; type: string; token?: string }[] = [];
	closed = false;
	answersPing = true;

	send(data: string): void {
		const frame = JSON.parse(data);
		this.sent.push(frame);
		if (frame.type === "ping" && this.answersPing) queueMicrotask(() => this.say({ reply_to: frame.id, ok: true, type: "pong" }));
	}

	close(): void {
		this.closed = true;
	}

	say(...frames: object[]): void {
		this.onmessage({ data: frames.map((frame) => JSON.stringify(frame)).join("\n") });
	}
}

type Server = (ws: FakeSocket, world: World) => void;

/** A page whose server does the same with each socket that is opened. */
class Page {
	readonly world = new World();
	readonly sockets: FakeSocket[] = [];
	readonly dialled: number[] = [];
	readonly frames: Frame[] = [];
	readonly states: string[] = [];
	renewed = 0;
	revoked = 0;
	token: () => Promise<string> = async () => `token ${this.renewed}`;
	renew: () => Promise<void> = async () => {};
	readonly socket: Socket;

	constructor(public server: Server) {
		Math.random = () => 0.999; // the backoff's: the longest waits
		this.socket = new Socket(
			{
				token: () => this.token(),
				renew: () => (this.renewed++, this.renew()),
				known: () => ({}),
				onFrame: (frame) => this.frames.push(frame),
				onState: (state, reason) => this.states.push(reason ? `${state}: ${reason}` : state),
				onRevoked: () => this.revoked++,
			},
			this.world,
			() => this.dial() as unknown as WebSocket,
		);
	}

	private dial(): FakeSocket {
		const ws = new FakeSocket();
		this.sockets.push(ws);
		this.dialled.push(this.world.time);
		this.world.after(5, () => this.server(ws, this.world));
		return ws;
	}

	async run(ms: number): Promise<void> {
		void this.socket.connect();
		await this.world.run(this.world.time + ms);
	}
}

/** As push does it: the reply that refuses, then the close, some time later. */
function refusing(code: number, error: object): Server {
	return (ws, world) => {
		ws.onopen();
		world.after(20, () => ws.say({ reply_to: ws.sent[0]?.id, ok: false, error }));
		world.after(40, () => ws.onclose({ code }));
	};
}

function welcoming(then: (ws: FakeSocket, world: World) => unknown = () => {}): Server {
	return (ws, world) => {
		ws.onopen();
		world.after(20, () => {
			ws.say({ reply_to: ws.sent[0]?.id, ok: true, type: "hello", epoch: "one", me: 1, heartbeat_ms: 25_000 });
			then(ws, world);
		});
	};
}

test("too many tabs: stops with its text, renews nothing, does not come back by itself", async () => {
	const page = new Page(refusing(4430, { code: "too_many_connections", retryable: false }));
	await page.run(10 * A_MINUTE);
	assert.equal(page.sockets.length, 1);
	assert.equal(page.renewed, 0);
	assert.equal(page.states.at(-1), "stopped: Stonechat is open in too many places. Close some and try again.");
	page.server = welcoming();
	page.socket.wake();
	await page.world.run(11 * A_MINUTE);
	assert.equal(page.states.at(-1), "online", "the person has tried again");
});

for (const code of [4400, 4404, 4413]) {
	test(`${code} stops`, async () => {
		const page = new Page((ws) => ws.onclose({ code }));
		await page.run(10 * A_MINUTE);
		assert.equal(page.sockets.length, 1);
		assert.equal(page.renewed, 0);
		assert.match(page.states.at(-1)!, code === 4404 ? /^stopped: .*Reload it/ : /^stopped: ./);
	});
}

test("a database that can't be asked: comes back with growing waits, and no token is renewed", async () => {
	const page = new Page(refusing(4003, { code: "unavailable", retryable: true }));
	await page.run(5 * A_MINUTE);
	assert.equal(page.renewed, 0);
	const waits = page.dialled.slice(1).map((at, n) => at - page.dialled[n]!);
	assert.ok(waits[0]! < 400 && waits[3]! > 2_000, `${waits}`);
	assert.ok(Math.max(...waits) <= 20_100 && waits.at(-1)! > 19_000, "the cap is 20 s");
	page.server = welcoming();
	await page.world.run(6 * A_MINUTE);
	assert.equal(page.states.at(-1), "online");
});

for (const code of [1001, 1006, 4001, 4003, 4008, 4009, 4029, 4408]) {
	test(`${code} comes back without a new token`, async () => {
		const page = new Page(welcoming((ws, world) => world.after(50, () => ws.onclose({ code }))));
		await page.run(A_MINUTE);
		assert.ok(page.sockets.length > 2);
		assert.equal(page.renewed, 0);
		assert.equal(page.revoked, 0);
		assert.ok(page.states.every((state) => !state.startsWith("stopped")));
	});
}

test("a refused token is renewed once, and the new one is shown", async () => {
	const page: Page = new Page((ws, world) => {
		const server = page.renewed ? welcoming() : refusing(4401, { code: "token_expired", retryable: false });
		server(ws, world);
	});
	await page.run(A_MINUTE);
	assert.equal(page.renewed, 1);
	assert.deepEqual(page.sockets.map((ws) => ws.sent[0]?.token), ["token 0", "token 1"]);
	assert.equal(page.states.at(-1), "online");
});

test("a renewal that can't be had now is tried again no sooner than the server asked", async () => {
	const page = new Page(refusing(4401, { code: "token_expired", retryable: false }));
	page.renew = async () => {
		throw new Failure(503, "busy", "", true, 30_000);
	};
	await page.run(29_000);
	assert.equal(page.renewed, 1);
	await page.world.run(32_000);
	assert.equal(page.renewed, 2);
});

const ENDED: [string, Server][] = [
	["before hello", refusing(4403, { code: "session_ended", retryable: false })],
	["after it", welcoming((ws) => ws.onclose({ code: 4403 }))],
];
for (const [when, server] of ENDED) {
	test(`4403 logs out, ${when}`, async () => {
		const page = new Page(server);
		await page.run(10 * A_MINUTE);
		assert.equal(page.revoked, 1);
		assert.equal(page.renewed, 0);
		assert.equal(page.sockets.length, 1);
	});
}

test("a refusal without a close is given up after a while", async () => {
	const page = new Page((ws, world) => {
		ws.onopen();
		world.after(20, () => ws.say({ reply_to: ws.sent[0]?.id, ok: false, error: { code: "unavailable" } }));
	});
	await page.run(9_000);
	assert.equal(page.sockets.length, 1);
	await page.world.run(A_MINUTE);
	assert.ok(page.sockets.length > 1);
	assert.ok(page.sockets[0]!.closed);
	assert.equal(page.renewed, 0);
});

test("without a token no socket is opened, and the wait is the one the server asked for", async () => {
	const page = new Page(welcoming());
	let asked = 0;
	page.token = async () => {
		if (++asked < 3) throw new Failure(429, "too_many_requests", "", true, 40_000);
		return "token";
	};
	await page.run(39_000);
	assert.equal(asked, 1);
	await page.world.run(2 * A_MINUTE);
	assert.equal(page.renewed, 0);
	assert.equal(page.sockets.length, 1);
	assert.equal(page.states.at(-1), "online");
});

test("a token that is refused for good stops it, until the person tries again", async () => {
	const page = new Page(welcoming());
	let asked = 0;
	page.token = async () => {
		if (++asked === 1) throw new Failure(400, "malformed", "The request is malformed.", false);
		return "token";
	};
	await page.run(10 * A_MINUTE);
	assert.equal(asked, 1);
	assert.equal(page.states.at(-1), "stopped: The request is malformed.");
	page.socket.wake();
	await page.world.run(11 * A_MINUTE);
	assert.equal(page.states.at(-1), "online");
});

test("a renewal that is refused for good stops it too", async () => {
	const page = new Page(refusing(4401, { code: "token_expired", retryable: false }));
	page.renew = async () => {
		throw new Failure(422, "invalid", "No.", false);
	};
	await page.run(10 * A_MINUTE);
	assert.equal(page.renewed, 1);
	assert.equal(page.states.at(-1), "stopped: No.");
});

test("a draining server's close is followed at once", async () => {
	const page = new Page(
		welcoming((ws, world) => {
			if (page.sockets.length > 1) return;
			ws.say({ type: "reconnect", after_ms: 7_000 });
			world.after(7_000, () => ws.onclose({ code: 4001 }));
		}),
	);
	await page.run(6_900);
	assert.equal(page.sockets.length, 1, "it serves until then");
	await page.world.run(7_100);
	assert.equal(page.sockets.length, 2);
});

test("30 s of stability forget the waits of before", async () => {
	let lasts = 50;
	const page = new Page(welcoming((ws, world) => world.after(lasts, () => ws.onclose({ code: 1006 }))));
	await page.run(A_MINUTE);
	lasts = 31_000;
	await page.world.run(3 * A_MINUTE);
	const lost = page.states.lastIndexOf("offline");
	assert.ok(lost > 0);
	const [before, last] = page.dialled.slice(-2) as [number, number];
	assert.ok(last - before < 31_400, `${last - before} ms after the one before`);
});

test("who waits for a reply hears of the loss, and may try again", async () => {
	const page = new Page(welcoming((ws, world) => world.after(5_000, () => ws.onclose({ code: 1006 }))));
	await page.run(1_000);
	const reply = page.socket.request("message.send", {}).then(
		() => null,
		(failure: Failure) => failure,
	);
	await page.world.run(6_000);
	assert.equal((await reply)?.retryable, true);
});

test("a silent server is asked, then given up", async () => {
	const page = new Page(welcoming((ws) => (ws.answersPing = false)));
	await page.run(35_000);
	assert.equal(page.sockets[0]!.sent.at(-1)?.type, "ping");
	assert.equal(page.sockets.length, 1);
	await page.world.run(45_000);
	assert.equal(page.sockets.length, 2);
	assert.ok(page.sockets[0]!.closed);
});
