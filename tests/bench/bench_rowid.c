/* Measures the table of messages WITHOUT ROWID against a rowid table: size, insert rate in batches of 64, page reads.
 *
 *     cc -O2 -o /tmp/bench_rowid tests/bench/bench_rowid.c -lsqlite3 -lm
 *     /tmp/bench_rowid /dev/shm/rowid.db rowid 5000000 & /tmp/bench_rowid /dev/shm/without.db without_rowid 5000000
 *
 * Both at once, so that they share whatever else the machine does; on a disk it measures the disk's syncs and little else.
 * It talks to SQLite directly, with the pragmas of the driver, so that only the shape of the table differs. */
#include <math.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { CONVERSATIONS = 20000, BATCH = 64, PAGE = 50, READS = 20000, ID = 37 };

static uint64_t random_state = 88172645463325252u;
static char conversations[CONVERSATIONS][ID];
static int64_t last_seq[CONVERSATIONS];

static uint64_t
random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Few conversations are busy, most are quiet. */
static size_t
random_conversation(void)
{
	double u = (double)(random_u64() >> 11) / 9007199254740992.0;

	return (size_t)(pow(u, 3.0) * CONVERSATIONS);
}

static double
now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void
make_id(int64_t time_ms, char id[ID])
{
	uint64_t r = random_u64();

	snprintf(id, ID, "%08x-%04x-7%03x-%04x-%012llx", (unsigned)((uint64_t)time_ms >> 16),
		 (unsigned)(time_ms & 0xffff), (unsigned)(r & 0xfff), (unsigned)(0x8000 | ((r >> 12) & 0x3fff)),
		 (unsigned long long)(random_u64() >> 16));
}

static void
check(sqlite3 *db, int rc)
{
	if (rc != SQLITE_OK && rc != SQLITE_DONE && rc != SQLITE_ROW) {
		fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
		exit(1);
	}
}

static void
run(sqlite3 *db, const char *sql)
{
	check(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static void
open_database(const char *path, int without_rowid, sqlite3 **ret_db)
{
	unlink(path);
	check(NULL, sqlite3_open(path, ret_db));
	run(*ret_db,
	    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA mmap_size=0; PRAGMA wal_autocheckpoint=0");
	run(*ret_db,
	    without_rowid
		    ? "CREATE TABLE messages (conversation_id TEXT NOT NULL, seq BIGINT NOT NULL, rev BIGINT NOT NULL,"
		      " id TEXT NOT NULL, sender_id TEXT NOT NULL, recipient_id TEXT, content TEXT,"
		      " content_digest TEXT NOT NULL, timestamp BIGINT NOT NULL, reply_to_id TEXT, edited_at BIGINT,"
		      " deleted_at BIGINT, PRIMARY KEY (conversation_id, seq)) WITHOUT ROWID"
		    : "CREATE TABLE messages (conversation_id TEXT NOT NULL, seq BIGINT NOT NULL, rev BIGINT NOT NULL,"
		      " id TEXT NOT NULL, sender_id TEXT NOT NULL, recipient_id TEXT, content TEXT,"
		      " content_digest TEXT NOT NULL, timestamp BIGINT NOT NULL, reply_to_id TEXT, edited_at BIGINT,"
		      " deleted_at BIGINT, PRIMARY KEY (conversation_id, seq))");
	run(*ret_db, "CREATE UNIQUE INDEX messages_by_id ON messages (conversation_id, id);"
		     "CREATE INDEX messages_by_rev ON messages (conversation_id, rev)");
}

static void
insert_one(sqlite3 *db, sqlite3_stmt *stmt, int64_t n, const char *text)
{
	size_t c = random_conversation();
	int64_t seq = ++last_seq[c], time_ms = 1760000000000 + n * 10;
	int len = random_u64() % 200 == 0 ? 2000 : (int)(20 + random_u64() % 180);
	char id[ID];

	make_id(time_ms, id);
	sqlite3_bind_text(stmt, 1, conversations[c], -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, seq);
	sqlite3_bind_int64(stmt, 3, seq + 1);
	sqlite3_bind_text(stmt, 4, id, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 5, conversations[random_u64() % CONVERSATIONS], -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 6, text, len, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 7, id + 14, 22, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 8, time_ms);
	check(db, sqlite3_step(stmt));
	sqlite3_reset(stmt);
}

/* Returns the seconds it took; *ret_pages counts the pages written to the WAL. */
static double
insert_all(sqlite3 *db, const char *path, int64_t rows, int64_t *ret_pages)
{
	static char text[2001];
	double start = now_s();
	sqlite3_stmt *stmt;

	memset(text, 'x', sizeof text - 1);
	check(db, sqlite3_prepare_v2(db,
				     "INSERT INTO messages (conversation_id, seq, rev, id, sender_id, content,"
				     " content_digest, timestamp) VALUES (?,?,?,?,?,?,?,?)",
				     -1, &stmt, NULL));
	for (int64_t n = 0; n < rows; n += BATCH) {
		run(db, "BEGIN IMMEDIATE");
		for (int64_t i = 0; i < BATCH; i++)
			insert_one(db, stmt, n + i, text);
		run(db, "COMMIT");
		if (n / BATCH % 128 == 127)
			sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
		if (n / BATCH % 7812 == 7811)
			fprintf(stderr, "%s: %lld rows, %.0f rows/s so far\n", path, (long long)n,
				(double)n / (now_s() - start));
	}
	sqlite3_finalize(stmt);
	sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	int written, highest;

	sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_WRITE, &written, &highest, 0);
	*ret_pages = written;
	return now_s() - start;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* One page before a random position of a random conversation, as scrolling back reads it. */
static void
read_pages(sqlite3 *db, double *ret_us)
{
	sqlite3_stmt *stmt;

	check(db, sqlite3_prepare_v2(db,
				     "SELECT conversation_id, seq, rev, id, sender_id, content, timestamp FROM messages"
				     " WHERE conversation_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?",
				     -1, &stmt, NULL));
	for (int i = 0; i < READS; i++) {
		size_t c = random_conversation();
		double start = now_s();

		sqlite3_bind_text(stmt, 1, conversations[c], -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 2, last_seq[c] > 0 ? (int64_t)(random_u64() % (uint64_t)last_seq[c]) + 2 : 1);
		sqlite3_bind_int(stmt, 3, PAGE);
		while (sqlite3_step(stmt) == SQLITE_ROW)
			(void)sqlite3_column_text(stmt, 5);
		sqlite3_reset(stmt);
		ret_us[i] = (now_s() - start) * 1e6;
	}
	sqlite3_finalize(stmt);
	qsort(ret_us, READS, sizeof *ret_us, compare);
}

int
main(int argc, char **argv)
{
	static double us[READS];
	struct stat file = {0};
	sqlite3 *db;

	if (argc != 4) {
		fprintf(stderr, "usage: bench_rowid FILE rowid|without_rowid ROWS\n");
		return 2;
	}
	for (size_t c = 0; c < CONVERSATIONS; c++)
		make_id(1750000000000 + (int64_t)(random_u64() % 10000000000u), conversations[c]);
	open_database(argv[1], strcmp(argv[2], "without_rowid") == 0, &db);

	int64_t rows = atoll(argv[3]) / BATCH * BATCH;
	int64_t pages;
	double seconds = insert_all(db, argv[1], rows, &pages);
	double cpu = cpu_s();

	read_pages(db, us); /* warms the page cache of the machine alike for both */
	read_pages(db, us);
	stat(argv[1], &file);
	printf("%s: %lld rows, %.0f MB, %.0f B/row, %.0f rows/s in batches of %d (%.1f us of CPU and %.2f pages written a row),"
	       " page of %d: p50 %.0f us, p99 %.0f us\n",
	       argv[2], (long long)rows, (double)file.st_size / 1e6, (double)file.st_size / (double)rows,
	       (double)rows / seconds, BATCH, cpu * 1e6 / (double)rows, (double)pages / (double)rows, PAGE,
	       us[READS / 2], us[READS * 99 / 100]);
	sqlite3_close(db);
	unlink(argv[1]);
	return 0;
}
