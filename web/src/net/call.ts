// One request to the API: JSON in and out; whatever goes wrong becomes a Failure.

import { Failure } from "../core/types";

const BASE = "/api/v1";
const TIMEOUT_MS = 20_000;

interface Problem {
	title?: string;
	code?: string;
	detail?: string;
	retryable?: boolean;
	errors?: { field: string; detail: string }[];
}

export async function call<T>(method: string, path: string, body?: unknown, token?: string): Promise<T> {
	const headers: Record<string, string> = { Accept: "application/json, application/problem+json" };
	if (token) headers["Authorization"] = `Bearer ${token}`;
	if (body !== undefined) headers["Content-Type"] = "application/json";
	const abort = new AbortController();
	const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
	try {
		const answer = await fetch(BASE + path, {
			method,
			headers,
			body: body === undefined ? null : JSON.stringify(body),
			credentials: "same-origin",
			cache: "no-store",
			signal: abort.signal,
		});
		const text = await answer.text();
		if (!answer.ok) throw failureOf(answer, text);
		return (text ? JSON.parse(text) : undefined) as T;
	} catch (error) {
		if (error instanceof Failure) throw error;
		throw new Failure(0, "unreachable", "The server can't be reached.", true);
	} finally {
		clearTimeout(timer);
	}
}

function failureOf(answer: Response, text: string): Failure {
	let problem: Problem = {};
	try {
		problem = (JSON.parse(text) as Problem | null) ?? {};
	} catch {
		// Something in between answered, not the server: the status says enough.
	}
	const retryable = problem.retryable ?? (answer.status >= 500 || answer.status === 429);
	const waitMs = (Number(answer.headers.get("Retry-After")) || 0) * 1000;
	const detail = problem.detail ?? problem.title ?? `The server answered ${answer.status}.`;
	return new Failure(answer.status, problem.code ?? "unknown", detail, retryable, waitMs, problem.errors ?? []);
}
