// The outbox in IndexedDB, so that messages on their way outlive the page. A database of the whole origin: each message
// says whose it is and which page's, so that two tabs do not send the same one at the same time. A page holds a Web Lock
// under its name as long as it lives; without Web Locks (plain http from another machine) every page sends what it finds,
// which the id makes harmless.
//
// A log-out is noted in localStorage before it is asked for: a page that is closed at once has no time to delete anything
// here, and the next one does it.

import { newId } from "../core/id";
import type { Outgoing, OutboxStore } from "../core/outbox";

interface Row {
	id: string;
	userId: string;
	page: string;
	entry: Outgoing;
}

const DATABASE = "stonechat";
const OUTBOX = "outbox";
const BY_USER = "by_user";
const LOCK = "stonechat.page.";
const LEAVING = "stonechat.leaving."; // and the person's id; holds the page where they log out
const PAGE = newId(); // new with each load: what sessionStorage holds, a duplicated tab has as well

/** The outbox of one person, for this page. */
export function openOutbox(userId: string): OutboxStore {
	const opened = open();
	opened.catch(() => {}); // said by whoever needs it
	let first = true;
	showPage();

	/** Runs in one transaction; what goes wrong is said on the console, and the page goes on without. */
	const within = async (run: (rows: IDBObjectStore) => void): Promise<boolean> => {
		try {
			const transaction = (await opened).transaction(OUTBOX, "readwrite");
			run(transaction.objectStore(OUTBOX));
			await new Promise<void>((resolve, reject) => {
				transaction.oncomplete = () => resolve();
				transaction.onabort = transaction.onerror = () => reject(transaction.error);
			});
			return true;
		} catch (error) {
			console.warn(error);
			return false;
		}
	};
	/** Each row of this person, in the same transaction. */
	const each = (rows: IDBObjectStore, run: (row: Row) => void): void => {
		const request = rows.index(BY_USER).getAll(userId) as IDBRequest<Row[]>;
		request.onsuccess = () => request.result.forEach(run);
	};
	const clear = async (): Promise<void> => {
		if (await within((rows) => each(rows, (row) => rows.delete(row.id)))) noteLeaving(userId, false);
	};
	return {
		put: (entry) => within((rows) => rows.put({ id: entry.id, userId, page: PAGE, entry } satisfies Row)),
		remove: (id) => within((rows) => rows.delete(id)),
		clear,
		leaving: (leaving) => noteLeaving(userId, leaving),
		async take(more) {
			const alive = await pagesAlive();
			for (const other of alive) if (other !== PAGE) whenGone(other, more);
			const mine = first; // later on those of this page are in its hands already
			first = false;
			const isLeft = (page: string) => (page === PAGE ? mine : !alive.has(page));
			const left = whereLeaving(userId);
			if (left && isLeft(left)) await clear();
			const taken: Outgoing[] = [];
			await within((rows) =>
				each(rows, (row) => {
					if (!isLeft(row.page)) return;
					taken.push(row.entry);
					rows.put({ ...row, page: PAGE } satisfies Row);
				}),
			);
			return taken;
		},
	};
}

/** localStorage, as it is written before the next line runs. */
function noteLeaving(userId: string, leaving: boolean): void {
	try {
		if (leaving) localStorage.setItem(LEAVING + userId, PAGE);
		else localStorage.removeItem(LEAVING + userId);
	} catch {
		// Not allowed here: it goes if the page has the time.
	}
}

function whereLeaving(userId: string): string | null {
	try {
		return localStorage.getItem(LEAVING + userId);
	} catch {
		return null;
	}
}

function open(): Promise<IDBDatabase> {
	return new Promise((resolve, reject) => {
		const request = indexedDB.open(DATABASE, 1);
		request.onupgradeneeded = () => request.result.createObjectStore(OUTBOX, { keyPath: "id" }).createIndex(BY_USER, "userId");
		request.onsuccess = () => {
			request.result.onversionchange = () => request.result.close();
			resolve(request.result);
		};
		request.onerror = request.onblocked = () => reject(request.error);
	});
}

let shown = false;

/** Holds the lock that says this page is there, as long as it is. */
function showPage(): void {
	if (!navigator.locks || shown) return;
	shown = true;
	navigator.locks.request(LOCK + PAGE, () => new Promise<void>(() => {})).catch(console.warn);
}

const watched = new Map<string, () => void>();

/** Calls back when that page is gone; of several who ask before, the last. */
function whenGone(page: string, run: () => void): void {
	const asked = watched.has(page);
	watched.set(page, run);
	if (asked) return;
	const gone = () => {
		const last = watched.get(page);
		watched.delete(page);
		last?.();
	};
	navigator.locks.request(LOCK + page, { mode: "shared" }, () => {}).then(gone, console.warn);
}

/** The names of all pages that are there. Those who only wait for one to go ask for its lock as well, but to share it. */
async function pagesAlive(): Promise<Set<string>> {
	try {
		const { held = [], pending = [] } = (await navigator.locks?.query()) ?? {};
		const names = [...held, ...pending].filter((lock) => lock.mode === "exclusive").map((lock) => lock.name ?? "");
		return new Set(names.filter((name) => name.startsWith(LOCK)).map((name) => name.slice(LOCK.length)));
	} catch (error) {
		console.warn(error);
		return new Set();
	}
}
