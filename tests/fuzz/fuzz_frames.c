/* WebSocket frames: a session of Ann's on the real hub, storage and writer, without libwebsockets and Redis. The first byte says
 * whether she has authenticated (L) or only connected (any other); each further line is a frame, but for
 *
 * <  her socket takes nothing any more     >  it does again     .  the loop turns once
 *
 * Every frame with an id has one reply, nothing inside the server shows, and what she is sent is JSON. */
#include <stdbool.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "fuzz.h"
#include "hub.h"
#include "json.h"
#include "log.h"
#include "loop.h"
#include "pipeline/submit.h"
#include "place.h"
#include "presence.h"
#include "session.h"
#include "storage.h"
#include "wheel.h"
#include "writer/writer.h"

enum { FRAMES_MAX = 96, WAIT_MAX_MS = 10000, FRAME_BYTES_MAX = 65536 };

/* The socket. */

struct ws_conn {
	bool writable, reading, wants_writable;
	int code;
	json_t *unanswered; /* array of the ids of frames */
	size_t n_silent;    /* frames without one */
	size_t n_greetings;
};

static struct {
	struct place place;
	struct loop *loop;
	struct storage *storage;
	struct hub *hub;
	struct presence_daemon *presence;
	struct writer *writer;
	struct pipeline *pipeline;
	struct wheel *wheel;
	struct session_server *server;
	struct ws_handlers handlers;
	struct ws_conn conn;
	struct session *session;
	int64_t mark; /* place_mark of the server at its start */
} world;

bool
ws_can_send(const struct ws_conn *conn)
{
	return conn->writable;
}

static void
take_answer(struct ws_conn *conn, const json_t *reply)
{
	const json_t *id = json_object_get(reply, "reply_to"), *error = json_object_get(reply, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	size_t i;
	json_t *one;

	CHECK(json_is_boolean(json_object_get(reply, "ok")), "no ok");
	CHECK(json_is_true(json_object_get(reply, "ok")) || (code && code[0]), "neither ok nor a code");
	CHECK(!code || (strcmp(code, "internal") != 0 && strcmp(code, "unavailable") != 0), "%s", code);
	if (json_is_null(id))
		return;
	json_array_foreach (conn->unanswered, i, one) {
		if (json_equal(one, id)) {
			json_array_remove(conn->unanswered, i);
			return;
		}
	}
	CHECK(false, "a reply to nothing: %s", code ? code : "ok");
}

void
ws_send(struct ws_conn *conn, struct frame *frame)
{
	const char *line = (const char *)frame->bytes, *end = line + frame->len;

	CHECK(conn->writable && !conn->code, "%d", conn->code);
	while (line < end) {
		const char *newline = memchr(line, '\n', (size_t)(end - line));
		size_t len = newline ? (size_t)(newline - line) : (size_t)(end - line);
		json_t *json = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);

		CHECK(json_is_object(json), "%.*s", (int)len, line);
		if (json_object_get(json, "reply_to"))
			take_answer(conn, json);
		else
			CHECK(json_is_string(json_object_get(json, "type")), "%.*s", (int)len, line);
		if (json_object_get(json, "heartbeat_ms"))
			conn->n_greetings++;
		json_decref(json);
		line += len + 1;
	}
}

void
ws_ping(struct ws_conn *conn)
{
	(void)conn;
}

void
ws_want_writable(struct ws_conn *conn)
{
	conn->wants_writable = true;
}

void
ws_admitted(struct ws_conn *conn)
{
	(void)conn;
}

void
ws_set_reading(struct ws_conn *conn, bool reading)
{
	conn->reading = reading;
}

void
ws_close(struct ws_conn *conn, enum ws_code code, const char *reason)
{
	CHECK(code >= 4000 && code < 4500 && reason && reason[0], "%d", (int)code);
	CHECK(code != WS_SERVER_ERROR, "%s", reason);
	conn->code = (int)code;
}

void
ws_progress(const struct ws_conn *conn, struct ws_progress *ret_progress)
{
	(void)conn;
	*ret_progress = (struct ws_progress){0};
}

/* The server, as main.c puts it together and takes it apart. */

static void
start_presence(void)
{
	const struct presence_options options = {
		.loop = world.loop,
		.hub = world.hub,
		.storage = world.storage,
		.writer = world.writer,
		.node = "node-1",
		.beat_ms = 15000,
		.grace_ms = 15000,
		.count_ms = 5000,
	};

	world.presence = presence_create(&options);
}

static void
start(void)
{
	struct fault fault = {0};
	struct session_server_options options = {
		.token_key = &world.place.key,
		.node = "node-1",
		.frame_bytes = FRAME_BYTES_MAX,
		.rate = {1000000, 1000000},
		.auth_ms = 5000,
		.heartbeat_ms = 25000,
		.sockets_per_user = 16,
	};

	CHECK(writer_create(world.place.url, 1, NULL, &world.writer, &fault) == OK, "%s", fault.detail);
	CHECK(pipeline_create("direct", world.writer, &world.pipeline, &fault) == OK, "%s", fault.detail);
	CHECK(loop_create(&world.loop) == OK, "no loop");
	world.wheel = wheel_create(loop_uv(world.loop));
	CHECK(storage_create(world.place.url, 1, world.loop, &world.storage, &fault) == OK, "%s", fault.detail);
	CHECK(hub_create(world.loop, world.storage, "unix:/nonexistent/redis.sock", &world.hub, &fault) == OK, "%s",
	      fault.detail);
	options.loop = world.loop;
	options.storage = world.storage;
	options.hub = world.hub;
	options.pipeline = world.pipeline;
	options.writer = world.writer;
	options.wheel = world.wheel;
	start_presence();
	options.presence_watch = presence_watchers(world.presence);
	world.server = session_server_create(&options);
	session_server_handlers(&world.handlers);
	world.mark = place_mark(&world.place);
}

static void
stop(void)
{
	presence_stop(world.presence);
	hub_stop(world.hub);
	session_server_flush(world.server);
	writer_destroy(world.writer);
	pipeline_destroy(world.pipeline);
	storage_stop(world.storage);
	wheel_close_handles(world.wheel);
	loop_close_handles(world.loop);
	session_server_destroy(world.server);
	presence_destroy(world.presence);
	hub_destroy(world.hub);
	storage_destroy(world.storage);
	wheel_destroy(world.wheel);
	loop_destroy(world.loop);
}

static void
turn(uv_run_mode mode)
{
	uv_run(loop_uv(world.loop), mode);
	if (world.conn.writable && world.conn.wants_writable && !world.conn.code) {
		world.conn.wants_writable = false;
		world.handlers.writable(world.session);
	}
}

/* Turns the loop, with a socket that takes all, until `done` or the session has closed. */
static void
wait_until(bool (*done)(void), const char *what)
{
	int64_t until_ms = clock_monotonic_ms() + WAIT_MAX_MS;

	while (!done() && !world.conn.code) {
		CHECK(clock_monotonic_ms() < until_ms, "%s: not within %d ms", what, WAIT_MAX_MS);
		world.conn.writable = true;
		turn(world.conn.wants_writable ? UV_RUN_NOWAIT : UV_RUN_ONCE);
	}
}

static bool
is_read(void)
{
	return world.conn.reading;
}

static bool
is_greeted(void)
{
	return world.conn.n_greetings > 0 && world.conn.reading;
}

static bool
is_answered(void)
{
	return json_array_size(world.conn.unanswered) == 0;
}

/* An integer that JavaScript can hold, or a short string. */
static bool
is_reply_id(const json_t *id)
{
	const json_int_t max = ((json_int_t)1 << 53) - 1;

	if (json_is_integer(id))
		return json_integer_value(id) >= -max && json_integer_value(id) <= max;
	return json_is_string(id) && json_string_length(id) <= 64;
}

/* What the frame's reply will answer, as the contract says it; NULL when it has no id, or one that nobody gives back. */
static json_t *
id_of(const char *text, size_t len)
{
	json_t *frame = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *id = json_incref(json_object_get(frame, "id"));

	if (!is_reply_id(id)) {
		json_decref(id);
		id = NULL;
	}
	json_decref(frame);
	return id;
}

static void
say(const char *text, size_t len)
{
	json_t *id = id_of(text, len);

	wait_until(is_read, "reading goes on");
	if (world.conn.code || len > FRAME_BYTES_MAX) {
		json_decref(id);
		return;
	}
	if (id)
		json_array_append_new(world.conn.unanswered, id);
	else
		world.conn.n_silent++;
	world.handlers.received(world.session, text, len);
}

static void
begin(struct arena *arena, bool authenticated)
{
	const char *auth =
		arena_printf(arena, "{\"type\":\"auth\",\"token\":\"%s\"}", world.place.access_token[PLACE_ANN]);

	world.conn = (struct ws_conn){.writable = true, .reading = true, .unanswered = json_array()};
	world.session = world.handlers.opened(world.server, &world.conn);
	if (authenticated) {
		say(auth, strlen(auth));
		wait_until(is_greeted, "hello");
		CHECK(!world.conn.code, "closed with %d", world.conn.code);
	}
}

/* Until the writer is done with what came before: nobody's session has ended already. */
static void
wait_for_writer(void)
{
	struct write_session nobody = {.op.kind = WRITE_REVOKE_SESSION};

	memcpy(nobody.session.id, world.place.message_id[0], ID_SIZE);
	memcpy(nobody.session.user_id, world.place.message_id[0], ID_SIZE);
	CHECK(writer_run(world.writer, &nobody.op) == OK, "%s", nobody.op.fault.detail);
	arena_finish(&nobody.op.arena);
}

static void
end(void)
{
	wait_until(is_answered, "every frame is answered");
	if (world.conn.n_silent > 0)
		wait_for_writer();
	world.handlers.closed(world.session);
	json_decref(world.conn.unanswered);
	uv_run(loop_uv(world.loop), UV_RUN_NOWAIT);
}

static void
play(char *text, size_t len)
{
	size_t n = 0;

	while (len > 0 && !world.conn.code && n++ < FRAMES_MAX) {
		char *newline = memchr(text, '\n', len);
		size_t line_len = newline ? (size_t)(newline - text) : len;

		if (line_len == 1 && text[0] == '.')
			turn(UV_RUN_NOWAIT);
		else if (line_len == 1 && (text[0] == '<' || text[0] == '>'))
			world.conn.writable = text[0] == '>';
		else if (line_len > 0)
			say(text, line_len);
		text += newline ? line_len + 1 : line_len;
		len -= newline ? line_len + 1 : line_len;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena arena = {0};
	size_t len;

	if (size == 0)
		return -1;
	if (!world.place.image) {
		json_init();
		log_init("fuzz", "error");
		place_create(&world.place);
		start();
	}
	char *text = place_expand(&world.place, &arena, (const char *)data + 1, size - 1, &len);
	begin(&arena, data[0] == 'L');
	play(text, len);
	end();
	arena_finish(&arena);
	if (place_mark(&world.place) != world.mark) {
		stop();
		place_restore(&world.place);
		start();
	}
	return 0;
}
