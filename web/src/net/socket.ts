// The WebSocket: authenticates, matches replies to requests, notices when the other side is gone, and comes back.
//
// What the frames mean is the core's business. Waits between tries are full jitter (PROTOCOL.md, "Client backoff").

import { Backoff } from "../core/clock";
import { Failure, type Frame, type Hello } from "../core/types";

export type LinkState = "connecting" | "online" | "offline" | "stopped";

export interface SocketOptions {
	token(): Promise<string>;
	/** Asks for a new token after the server has refused the present one. */
	renew(): Promise<void>;
	known(): object;
	onFrame(frame: Frame): void;
	onState(state: LinkState, reason: string): void;
	/** The session was revoked. */
	onRevoked(): void;
}

interface Waiting {
	resolve(reply: Frame): void;
	reject(failure: Failure): void;
}

interface Reply extends Frame {
	reply_to?: number;
	ok?: boolean;
	error?: { code: string; detail?: string; retryable?: boolean; retry_after_ms?: number };
}

const PROTOCOL = "stonechat.v1";
const HELLO_MS = 10_000;
const REPLY_MS = 15_000;
const STABLE_MS = 30_000;
const PONG_MS = 10_000;
const PROBE_MS = 3_000;

const STOPPED: Record<number, string> = {
	4404: "This page is older than the server. Reload it.",
	4430: "Stonechat is open in too many places. Close some and try again.",
};

export class Socket {
	private ws: WebSocket | null = null;
	private connecting = false;
	private open = false;
	private ended = false;
	private lastId = 0;
	private readonly waiting = new Map<number, Waiting>();
	private readonly backoff = new Backoff();
	private retryTimer = 0;
	private stableTimer = 0;
	private watchTimer = 0;
	private heartbeatMs = 25_000;
	private afterMs: number | null = null;

	constructor(private readonly options: SocketOptions) {}

	get ready(): boolean {
		return this.open;
	}

	/** Connects, or tries at once instead of after the wait. */
	async connect(): Promise<void> {
		if (this.ended || this.ws || this.connecting) return;
		clearTimeout(this.retryTimer);
		this.options.onState("connecting", "");
		this.connecting = true; // the token first: a socket has 5 s to authenticate
		const refused = await this.options.token().then(() => null, (error: Failure) => error);
		this.connecting = false;
		if (this.ended) return;
		if (refused) return this.lost(refused.status === 401 ? 4401 : 1006);
		const ws = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`, PROTOCOL);
		this.ws = ws;
		ws.onopen = () => void this.authenticate(ws);
		ws.onmessage = (event) => this.ws === ws && this.receive(String(event.data));
		ws.onclose = (event) => this.ws === ws && void this.lost(event.code);
		this.watch(HELLO_MS, () => this.abandon());
	}

	/** The network or the page has come back: connect now, or see whether the other side still answers. */
	wake(): void {
		if (!this.ws) void this.connect();
		else if (this.open) this.probe(PROBE_MS);
	}

	/** Hands a new access token to the open socket. */
	refresh(token: string): void {
		if (this.open) this.request("auth.refresh", { token }).catch(() => {});
	}

	request(type: string, body: object): Promise<Frame> {
		if (!this.ws || (!this.open && type !== "auth")) return Promise.reject(gone());
		const id = ++this.lastId;
		this.ws.send(JSON.stringify({ id, type, ...body }));
		return new Promise((resolve, reject) => {
			const timer = setTimeout(() => waiting.reject(gone()), REPLY_MS);
			const done = () => {
				clearTimeout(timer);
				this.waiting.delete(id);
			};
			const waiting: Waiting = {
				resolve: (reply) => (done(), resolve(reply)),
				reject: (failure) => (done(), reject(failure)),
			};
			this.waiting.set(id, waiting);
		});
	}

	end(): void {
		this.ended = true;
		this.forget()?.close(1000);
	}

	private async authenticate(ws: WebSocket): Promise<void> {
		try {
			const token = await this.options.token();
			if (this.ws !== ws) return;
			const hello = (await this.request("auth", { token, ...this.options.known() })) as Hello;
			if (this.ws !== ws) return;
			this.heartbeatMs = hello.heartbeat_ms || this.heartbeatMs;
		} catch (error) {
			if (!(error instanceof Failure)) throw error;
			if (this.ws === ws) void this.lost(error.status === 401 ? 4401 : 1006);
		}
	}

	private receive(data: string): void {
		if (this.open) this.watchHeartbeat();
		for (const line of data.split("\n")) {
			if (!line) continue;
			const frame = JSON.parse(line) as Reply;
			if (frame.type === "hello") this.onHello();
			if (frame.type === "reconnect") this.afterMs = frame.after_ms ?? 0;
			if (frame.reply_to !== undefined) this.onReply(frame);
			if (frame.type !== undefined && frame.reply_to === undefined) this.options.onFrame(frame);
			else if (frame.type === "hello") this.options.onFrame(frame);
		}
	}

	private onHello(): void {
		this.open = true;
		this.stableTimer = window.setTimeout(() => this.backoff.reset(), STABLE_MS);
		this.watchHeartbeat();
		this.options.onState("online", "");
	}

	private onReply(frame: Reply): void {
		const waiting = this.waiting.get(frame.reply_to ?? 0);
		const error = frame.error;
		if (frame.ok) return waiting?.resolve(frame);
		const status = this.open ? 400 : 401; // before hello only the token can be wrong
		const detail = error?.detail ?? "The server refused.";
		waiting?.reject(new Failure(status, error?.code ?? "unknown", detail, !!error?.retryable, error?.retry_after_ms ?? 0));
	}

	/** Nothing heard for a heartbeat: ask, and give up when there is no answer. */
	private watchHeartbeat(): void {
		this.watch(this.heartbeatMs + 5_000, () => this.probe(PONG_MS));
	}

	private probe(ms: number): void {
		this.ws?.send(JSON.stringify({ id: ++this.lastId, type: "ping" }));
		this.watch(ms, () => this.abandon());
	}

	private watch(ms: number, run: () => void): void {
		clearTimeout(this.watchTimer);
		this.watchTimer = window.setTimeout(run, ms);
	}

	private abandon(): void {
		const ws = this.ws;
		void this.lost(1006);
		ws?.close();
	}

	/** Lets go of the socket; whoever waits for a reply hears that there will be none. */
	private forget(): WebSocket | null {
		const ws = this.ws;
		this.ws = null;
		this.open = false;
		for (const timer of [this.retryTimer, this.stableTimer, this.watchTimer]) clearTimeout(timer);
		for (const waiting of [...this.waiting.values()]) waiting.reject(gone());
		return ws;
	}

	private async lost(code: number): Promise<void> {
		this.forget()?.close();
		if (this.ended) return;
		if (code === 4403) return this.options.onRevoked();
		if (code >= 4400 && code < 4500 && code !== 4401 && code !== 4408) {
			return this.options.onState("stopped", STOPPED[code] ?? "The server closed the connection.");
		}
		this.options.onState("offline", "");
		if (code === 4401) await this.options.renew().catch(() => {});
		if (this.ended || this.ws) return;
		const waitMs = this.afterMs ?? this.backoff.next();
		this.afterMs = null;
		this.retryTimer = window.setTimeout(() => void this.connect(), waitMs);
	}
}

function gone(): Failure {
	return new Failure(0, "connection_lost", "The connection was lost.", true);
}
