// The outbox in IndexedDB, so that messages on their way outlive the page. A database of the whole origin: each message
// says whose it is and which tab's, so that two tabs do not send the same one at the same time. A tab holds a Web Lock
// under its name as long as it lives; without Web Locks (plain http from another machine) every tab sends what it finds,
// which the id makes harmless.

import { newId } from "../core/id";
import type { Outgoing, OutboxStore } from "../core/outbox";

interface Row {
	id: string;
	userId: string;
	tab: string;
	entry: Outgoing;
}

const DATABASE = "stonechat";
const OUTBOX = "outbox";
const BY_USER = "by_user";
const TAB_KEY = "stonechat.tab"; // in sessionStorage: a reload is the same tab

/** The outbox of one person, for this tab. */
export function openOutbox(userId: string): OutboxStore {
	const tab = nameOfTab();
	const opened = open();
	let first = true;
	showTab(tab);

	/** Runs in one transaction; what goes wrong is said on the console, and the page goes on without. */
	const within = async (run: (rows: IDBObjectStore) => void): Promise<void> => {
		try {
			const transaction = (await opened).transaction(OUTBOX, "readwrite");
			run(transaction.objectStore(OUTBOX));
			await new Promise<void>((resolve, reject) => {
				transaction.oncomplete = () => resolve();
				transaction.onabort = transaction.onerror = () => reject(transaction.error);
			});
		} catch (error) {
			console.warn(error);
		}
	};
	/** Each row of this person, in the same transaction. */
	const each = (rows: IDBObjectStore, run: (row: Row) => void): void => {
		const request = rows.index(BY_USER).getAll(userId) as IDBRequest<Row[]>;
		request.onsuccess = () => request.result.forEach(run);
	};
	return {
		put: (entry) => within((rows) => rows.put({ id: entry.id, userId, tab, entry } satisfies Row)),
		remove: (id) => within((rows) => rows.delete(id)),
		clear: () => within((rows) => each(rows, (row) => rows.delete(row.id))),
		async take(more) {
			const alive = await tabsAlive();
			for (const other of alive) if (other !== tab) whenGone(other, more);
			const mine = first; // later on those of this tab are in its hands already
			first = false;
			const taken: Outgoing[] = [];
			await within((rows) =>
				each(rows, (row) => {
					if (row.tab === tab ? !mine : alive.has(row.tab)) return;
					taken.push(row.entry);
					rows.put({ ...row, tab } satisfies Row);
				}),
			);
			return taken;
		},
	};
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

function nameOfTab(): string {
	try {
		const name = sessionStorage.getItem(TAB_KEY) ?? newId();
		sessionStorage.setItem(TAB_KEY, name);
		return name;
	} catch {
		return newId();
	}
}

const shown = new Set<string>();

/** Holds the lock that says this tab is there, as long as it is. Waiting for it, behind the page before a reload, says the same. */
function showTab(tab: string): void {
	if (!navigator.locks || shown.has(tab)) return;
	shown.add(tab);
	navigator.locks.request(lockOf(tab), () => new Promise<void>(() => {})).catch(console.warn);
}

function lockOf(tab: string): string {
	return `${TAB_KEY}.${tab}`;
}

const watched = new Map<string, () => void>();

/** Calls back when that tab is gone; of several who ask before, the last. */
function whenGone(tab: string, run: () => void): void {
	const asked = watched.has(tab);
	watched.set(tab, run);
	if (asked) return;
	const gone = () => {
		const last = watched.get(tab);
		watched.delete(tab);
		last?.();
	};
	navigator.locks.request(lockOf(tab), { mode: "shared" }, () => {}).then(gone, console.warn);
}

/** The names of all tabs that are there. Those who only wait for one to go ask for its lock as well, but to share it. */
async function tabsAlive(): Promise<Set<string>> {
	const { held = [], pending = [] } = (await navigator.locks?.query()) ?? {};
	const prefix = lockOf("");
	const names = [...held, ...pending].filter((lock) => lock.mode === "exclusive").map((lock) => lock.name ?? "");
	return new Set(names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length)));
}
