// The WebSocket: authenticates, matches replies to requests, notices when the other side is gone, and comes back.
//
// What the frames mean is the core's business. How a socket ends is decided by its close code alone (PROTOCOL.md, "Close
// codes"): a refused auth is followed by the close that says why. Waits between tries are full jitter.

import { Backoff, type Clock, systemClock } from "../core/clock";
import { asFailure, Failure, type Frame } from "../core/types";

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
	heartbeat_ms?: number;
}

const PROTOCOL = "stonechat.v1";
const HELLO_MS = 10_000;
const REPLY_MS = 15_000;
const STABLE_MS = 30_000;
const PONG_MS = 10_000;
const PROBE_MS = 3_000;

const NO_CODE = 1006; // RFC 6455 7.4.1: gone without a close frame
const TOKEN_REFUSED = 4401;
const SESSION_ENDED = 4403;
const AUTH_TOO_LATE = 4408; // a slow device or network: another try is not the same again

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
	private cancelRetry = nothing;
	private cancelStable = nothing;
	private cancelWatch = nothing;
	private heartbeatMs = 25_000;
	private sentAway = false; // the server has said that it will close: another takes its place

	constructor(
		private readonly options: SocketOptions,
		private readonly clock: Clock = systemClock,
		private readonly dial: () => WebSocket = dialHome,
	) {}

	get ready(): boolean {
		return this.open;
	}

	/** Connects, or tries at once instead of after the wait. */
	async connect(): Promise<void> {
		if (this.ended || this.ws || this.connecting) return;
		this.cancelRetry();
		this.options.onState("connecting", "");
		this.connecting = true; // the token first: a socket has 5 s to authenticate
		const failure = await this.options.token().then(() => null, asFailure);
		this.connecting = false;
		if (this.ended) return;
		if (failure) return this.withoutToken(failure);
		const ws = this.dial();
		this.ws = ws;
		ws.onopen = () => void this.authenticate(ws);
		ws.onmessage = (event) => this.ws === ws && this.receive(String(event.data));
		ws.onclose = (event) => this.ws === ws && void this.lost(event.code);
		this.watch(HELLO_MS, () => void this.lost(NO_CODE));
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
			const cancel = this.clock.after(REPLY_MS, () => waiting.reject(gone()));
			const done = () => {
				cancel();
				this.waiting.delete(id);
			};
			const waiting: Waiting = {
				resolve: (reply) => (done(), resolve(reply)),
				reject: (failure) => (done(), reject(failure)),
			};
			this.waiting.set(id, waiting);
		});
	}

	/** Says something that needs no reply; false: there is no socket to say it on. */
	tell(type: string, body: object): boolean {
		if (!this.ws || !this.open) return false;
		this.ws.send(JSON.stringify({ type, ...body }));
		return true;
	}

	end(): void {
		this.ended = true;
		this.forget()?.close(1000);
	}

	private async authenticate(ws: WebSocket): Promise<void> {
		const token = await this.options.token().catch(asFailure);
		if (this.ws !== ws) return;
		if (token instanceof Failure) return this.withoutToken(token);
		// Hello is a frame like others, and after a refusal comes the close, whose code decides.
		this.request("auth", { token, ...this.options.known() }).catch(() => {});
	}

	private receive(data: string): void {
		if (this.open) this.watchHeartbeat();
		for (const line of data.split("\n")) {
			if (!line) continue;
			const frame = JSON.parse(line) as Reply;
			if (frame.type === "hello") this.onHello(frame);
			if (frame.type === "reconnect") this.sentAway = true;
			if (frame.reply_to !== undefined) this.onReply(frame);
			if (frame.type !== undefined && frame.reply_to === undefined) this.options.onFrame(frame);
			else if (frame.type === "hello") this.options.onFrame(frame);
		}
	}

	private onHello(frame: Reply): void {
		this.open = true;
		this.heartbeatMs = frame.heartbeat_ms || this.heartbeatMs;
		this.cancelStable = this.clock.after(STABLE_MS, () => this.backoff.reset());
		this.watchHeartbeat();
		this.options.onState("online", "");
	}

	private onReply(frame: Reply): void {
		const waiting = this.waiting.get(frame.reply_to ?? 0);
		const error = frame.error;
		if (frame.ok) return waiting?.resolve(frame);
		const detail = error?.detail ?? "The server refused.";
		waiting?.reject(new Failure(400, error?.code ?? "unknown", detail, !!error?.retryable, error?.retry_after_ms ?? 0));
	}

	/** Nothing heard for a heartbeat: ask, and give up when there is no answer. */
	private watchHeartbeat(): void {
		this.watch(this.heartbeatMs + 5_000, () => this.probe(PONG_MS));
	}

	private probe(ms: number): void {
		this.ws?.send(JSON.stringify({ id: ++this.lastId, type: "ping" }));
		this.watch(ms, () => void this.lost(NO_CODE));
	}

	private watch(ms: number, run: () => void): void {
		this.cancelWatch();
		this.cancelWatch = this.clock.after(ms, run);
	}

	/** Lets go of the socket; whoever waits for a reply hears that there will be none. */
	private forget(): WebSocket | null {
		const ws = this.ws;
		this.ws = null;
		this.open = false;
		this.cancelRetry();
		this.cancelStable();
		this.cancelWatch();
		for (const waiting of [...this.waiting.values()]) waiting.reject(gone());
		return ws;
	}

	/** No token, no socket; one that is refused for good is not asked for again before the person says so. */
	private withoutToken(failure: Failure): void {
		if (failure.retryable) return void this.lost(NO_CODE, failure.retryAfterMs);
		this.forget()?.close();
		this.options.onState("stopped", failure.detail);
	}

	/** What a close code asks for. `leastMs`: how long a server that could not be reached asked to wait. */
	private async lost(code: number, leastMs = 0): Promise<void> {
		this.forget()?.close();
		if (this.ended) return;
		if (code === SESSION_ENDED) return this.options.onRevoked();
		if (code >= 4400 && code < 4500 && code !== TOKEN_REFUSED && code !== AUTH_TOO_LATE) {
			return this.options.onState("stopped", STOPPED[code] ?? "The server closed the connection.");
		}
		this.options.onState("offline", "");
		const failure = code === TOKEN_REFUSED ? await this.options.renew().then(() => null, asFailure) : null;
		if (this.ended || this.ws) return;
		if (failure && !failure.retryable) return this.withoutToken(failure);
		leastMs = Math.max(leastMs, failure?.retryAfterMs ?? 0);
		const waitMs = this.sentAway ? 0 : Math.max(leastMs, this.backoff.next());
		this.sentAway = false;
		this.cancelRetry();
		this.cancelRetry = this.clock.after(waitMs, () => void this.connect());
	}
}

function dialHome(): WebSocket {
	return new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`, PROTOCOL);
}

function gone(): Failure {
	return new Failure(0, "connection_lost", "The connection was lost.", true);
}

function nothing(): void {}
