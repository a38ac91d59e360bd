/* Filled once by the stores and the writer; the file is then kept in memory and written back when an input has changed it. */
#include "place.h"

#include <fcntl.h>
#include <ftw.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "db/db.h"
#include "db/migrate.h"
#include "fuzz.h"
#include "pipeline/submit.h"
#include "store/meta.h"
#include "store/users.h"
#include "writer/writer.h"

enum { TOKEN_LIFE_S = 86400, PATH_SIZE = 224 };

static const struct place *to_remove;

static int
remove_entry(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	(void)info, (void)type, (void)ftw;
	return remove(path);
}

static void
remove_folder(void)
{
	nftw(to_remove->folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void
make_folder(struct place *place)
{
	const char *parent = getenv("TMPDIR");

	snprintf(place->folder, sizeof place->folder, "%s/stonechat-fuzz-XXXXXX", parent ? parent : "/dev/shm");
	CHECK(mkdtemp(place->folder), "%s cannot be made", place->folder);
	snprintf(place->url, sizeof place->url, "sqlite:%s/fuzz.db", place->folder);
	to_remove = place;
	atexit(remove_folder);
}

void
place_hash(const char *password, char *ret_hash, size_t size)
{
	char hash[ID_SECRET_SIZE];

	id_hash_secret(password, strlen(password), hash);
	snprintf(ret_hash, size, "%s", hash);
}

static void
add_people(struct place *place, struct db *db)
{
	static const char *const names[PLACE_PEOPLE] = {"ann", "bob", "eve"};
	char hash[ID_SECRET_SIZE];
	enum status status = db_begin(db, DB_WRITE);

	place_hash(PLACE_PASSWORD, hash, sizeof hash);
	for (size_t i = 0; i < PLACE_PEOPLE && status == OK; i++) {
		struct user user = {.username = names[i],
				    .username_key = names[i],
				    .display_name = names[i],
				    .created_at_ms = clock_wall_ms()};

		snprintf(user.id, sizeof user.id, "019c1f0e-0000-7000-8000-00000000000%zx", i + 10);
		memcpy(place->user_id[i], user.id, ID_SIZE);
		status = users_insert(db, &user, hash, NULL);
	}
	CHECK(status == OK && db_commit(db, NULL) == OK, "%s", db_error(db));
}

static void
log_in(struct place *place, struct writer *writer, size_t person, char ret_session_id[ID_SIZE],
       char ret_refresh_token[TOKEN_REFRESH_SIZE])
{
	struct write_session write = {.op.kind = WRITE_CREATE_SESSION, .session = {.user_agent = "", .address = ""}};
	int64_t now_ms = clock_wall_ms();

	id_make(write.session.id);
	memcpy(write.session.user_id, place->user_id[person], ID_SIZE);
	token_refresh_make(ret_refresh_token);
	token_refresh_hash(ret_refresh_token, write.session.refresh_hash, write.session.family_hash);
	write.session.created_at_ms = write.session.last_used_at_ms = now_ms;
	write.session.expires_at_ms = now_ms + TOKEN_LIFE_S * 1000;
	CHECK(writer_run(writer, &write.op) == OK, "%s", write.op.fault.detail);
	memcpy(ret_session_id, write.session.id, ID_SIZE);
	arena_finish(&write.op.arena);
}

static void
make_token(struct place *place, size_t person)
{
	int64_t now_s = clock_wall_ms() / 1000;
	struct token_claims claims = {.issued_at_s = now_s, .expires_at_s = now_s + TOKEN_LIFE_S};

	memcpy(claims.user_id, place->user_id[person], ID_SIZE);
	memcpy(claims.session_id, place->session_id[person], ID_SIZE);
	CHECK(token_make(&place->key, &claims, place->access_token[person]) == OK, "a token cannot be made");
}

static void
send_message(struct place *place, struct pipeline *pipeline, size_t sender, size_t recipient, size_t n)
{
	struct submission submission = {.draft.content = n ? "Hello Ann" : "Hello Bob"};

	snprintf(place->message_id[n], ID_SIZE, "019c1f10-0000-7000-8000-00000000000%zx", n + 10);
	memcpy(submission.draft.id, place->message_id[n], ID_SIZE);
	memcpy(submission.draft.sender_id, place->user_id[sender], ID_SIZE);
	memcpy(submission.draft.recipient_id, place->user_id[recipient], ID_SIZE);
	CHECK(pipeline_submit_wait(pipeline, &submission) == OK, "%s", submission.fault.detail);
	memcpy(place->conversation_id, submission.stored.conversation_id, ID_SIZE);
	submission_finish(&submission);
}

static void
fill(struct place *place)
{
	char unused[TOKEN_REFRESH_SIZE];
	struct pipeline *pipeline;
	struct writer *writer;
	struct fault fault;

	CHECK(writer_create(place->url, 1, NULL, &writer, &fault) == OK, "%s", fault.detail);
	CHECK(pipeline_create("direct", writer, &pipeline, &fault) == OK, "%s", fault.detail);
	for (size_t i = 0; i < PLACE_PEOPLE; i++) {
		log_in(place, writer, i, place->session_id[i], place->refresh_token[i]);
		make_token(place, i);
	}
	log_in(place, writer, PLACE_ANN, place->other_session_id, unused);
	send_message(place, pipeline, PLACE_ANN, PLACE_BOB, 0);
	send_message(place, pipeline, PLACE_BOB, PLACE_ANN, 1);
	pipeline_destroy(pipeline);
	writer_destroy(writer);
}

static void
file_path(const struct place *place, const char *suffix, char ret_path[PATH_SIZE])
{
	snprintf(ret_path, PATH_SIZE, "%s/fuzz.db%s", place->folder, suffix);
}

/* Closing leaves that to the keeper, which is not there. */
static void
write_log_back(const char *path)
{
	sqlite3 *db;

	CHECK(sqlite3_open(path, &db) == SQLITE_OK &&
		      sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL) == SQLITE_OK,
	      "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

static void
keep_image(struct place *place)
{
	char path[PATH_SIZE];
	struct stat info;
	FILE *file;

	file_path(place, "", path);
	write_log_back(path);
	CHECK(stat(path, &info) == 0 && info.st_size > 0, "%s", path);
	place->image_len = (size_t)info.st_size;
	place->image = malloc(place->image_len);
	file = fopen(path, "re");
	CHECK(place->image && file && fread(place->image, place->image_len, 1, file) == 1, "%s", path);
	fclose(file);
}

void
place_create(struct place *place)
{
	struct fault fault = {0};
	struct db *db;
	size_t n_applied;

	make_folder(place);
	memset(place->key.bytes, 7, sizeof place->key.bytes);
	CHECK(db_open(place->url, DB_ACCESS_WRITE, &db, &fault) == OK, "%s", fault.detail);
	CHECK(migrate_run(db, NULL, NULL, &n_applied, &fault) == OK, "%s", fault.detail);
	CHECK(meta_epoch(db, place->epoch) == OK, "%s", db_error(db));
	add_people(place, db);
	db_close(db);
	fill(place);
	keep_image(place);
}

int64_t
place_mark(const struct place *place)
{
	char path[PATH_SIZE];
	struct stat info;

	file_path(place, "-wal", path);
	if (stat(path, &info) != 0 || info.st_size == 0)
		return 0;
	return (int64_t)info.st_size + (info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec);
}

void
place_restore(const struct place *place)
{
	char path[PATH_SIZE];
	int fd;

	file_path(place, "-wal", path);
	unlink(path);
	file_path(place, "-shm", path);
	unlink(path);
	file_path(place, "", path);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, place->image, place->image_len) == (ssize_t)place->image_len, "%s", path);
	close(fd);
}

static const char *
meaning(const struct place *place, char letter)
{
	switch (letter) {
	case 'a':
		return place->user_id[PLACE_ANN];
	case 'b':
		return place->user_id[PLACE_BOB];
	case 'e':
		return place->user_id[PLACE_EVE];
	case 'm':
		return place->message_id[0];
	case 'n':
		return place->message_id[1];
	case 'c':
		return place->conversation_id;
	case 's':
		return place->other_session_id;
	case 't':
		return place->access_token[PLACE_ANN];
	case 'u':
		return place->access_token[PLACE_BOB];
	case 'r':
		return place->refresh_token[PLACE_ANN];
	case 'k':
		return place->epoch;
	default:
		return NULL;
	}
}

char *
place_expand(const struct place *place, struct arena *arena, const char *bytes, size_t len, size_t *ret_len)
{
	struct buf buf;
	char *text;

	buf_init(&buf, 0);
	for (size_t i = 0; i < len; i++) {
		const char *text_of_it = bytes[i] == '$' && i + 1 < len ? meaning(place, bytes[i + 1]) : NULL;

		if (text_of_it)
			buf_append_text(&buf, text_of_it);
		else
			buf_append(&buf, &bytes[i], 1);
		i += text_of_it != NULL;
	}
	text = arena_memdup(arena, buf.len ? buf.bytes : "", buf.len);
	*ret_len = buf.len;
	buf_finish(&buf);
	return text;
}
