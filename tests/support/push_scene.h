/* A session without its surroundings: the socket, the hub, the database and the pipeline are played by the functions below. For
 * one test program each. */
#ifndef SUPPORT_PUSH_SCENE_H
#define SUPPORT_PUSH_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "events.h"
#include "hub.h"
#include "json.h"
#include "lane.h"
#include "login.h"
#include "pipeline/submit.h"
#include "session.h"
#include "token.h"
#include "wheel.h"

#define USER "01890000-0000-7000-8000-000000000001"
#define LOGIN "01890000-0000-7000-8000-000000000002"
#define OTHER "01890000-0000-7000-8000-000000000003"
#define ROOM "01890000-0000-7000-8000-000000000004"

enum { OUT_MAX = 512, IN_FLIGHT_MAX = 128 };

/* What the session meets. */

struct ws_conn {
	bool writable, reading, wants_writable;
	int code;
	char reason[64];
	int n_pings;
	json_t *out[OUT_MAX]; /* objects written */
	size_t n_out;
};

static struct {
	struct ws_conn conn;
	struct wheel *wheel;
	struct token_key key;
	struct session_server *server;
	struct ws_handlers handlers;
	struct session *session;
	struct login *login; /* asked, not answered */
	struct session *joined;
	int64_t joined_me, joined_known_count;
	size_t joined_n_known;
	char joined_epoch[64];
	bool hub_is_full;
	int n_left;
	struct submission *in_flight[IN_FLIGHT_MAX];
	size_t n_in_flight;
	struct change_submission *changes[IN_FLIGHT_MAX];
	size_t n_changes;
	struct write_mark_read *marks[IN_FLIGHT_MAX];
	size_t n_marks;
	char room[ID_SIZE]; /* what the socket is in, with so many members */
	int64_t member_count;
	char published_to[EVENT_CHANNEL_SIZE], published[1024]; /* the last one */
	size_t n_published;
	enum status refusal; /* of the pipeline and the writer, at once */
} world;

static struct hub_socket *const some_socket = (struct hub_socket *)&world.n_left;

bool
ws_can_send(const struct ws_conn *conn)
{
	return conn->writable;
}

void
ws_send(struct ws_conn *conn, struct frame *frame)
{
	char *text = strndup((char *)frame->bytes, frame->len);
	char *rest = text;
	char *line;

	assert_true(conn->writable);
	while ((line = strsep(&rest, "\n")) != NULL) {
		assert_in_range(conn->n_out, 0, OUT_MAX - 1);
		conn->out[conn->n_out] = json_loads(line, 0, NULL);
		assert_non_null(conn->out[conn->n_out++]);
	}
	free(text);
}

void
ws_ping(struct ws_conn *conn)
{
	conn->n_pings++;
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
	conn->code = (int)code;
	snprintf(conn->reason, sizeof conn->reason, "%s", reason);
}

void
ws_progress(const struct ws_conn *conn, struct ws_progress *ret_progress)
{
	(void)conn;
	*ret_progress = (struct ws_progress){0};
}

struct hub_socket *
hub_join(struct hub *hub, struct session *session, const char *user_id, const struct hub_request *request,
	 int64_t sockets_max)
{
	(void)hub;
	assert_string_equal(user_id, USER);
	assert_int_equal(sockets_max, 16);
	if (world.hub_is_full)
		return NULL;
	world.joined = session;
	world.joined_me = request->me;
	world.joined_n_known = request->n_known;
	world.joined_known_count = request->known_count;
	snprintf(world.joined_epoch, sizeof world.joined_epoch, "%s", request->epoch == NULL ? "" : request->epoch);
	return some_socket;
}

void
hub_leave(struct hub *hub, struct hub_socket *socket)
{
	(void)hub;
	world.n_left += socket != NULL;
}

bool
hub_is_member(const struct hub_socket *socket, const char *conversation_id, int64_t *ret_member_count)
{
	assert_ptr_equal(socket, some_socket);
	*ret_member_count = world.member_count;
	return strcmp(conversation_id, world.room) == 0;
}

bool
hub_is_attached(const struct hub_socket *socket, const char *conversation_id)
{
	int64_t member_count;

	return hub_is_member(socket, conversation_id, &member_count);
}

const char *
hub_epoch(const struct hub *hub)
{
	(void)hub;
	return "e1";
}

bool
bus_publish(struct bus *bus, const char *channel, const void *bytes, size_t len)
{
	(void)bus;
	snprintf(world.published_to, sizeof world.published_to, "%s", channel);
	snprintf(world.published, sizeof world.published, "%.*s", (int)len, (const char *)bytes);
	world.n_published++;
	return true;
}

void
login_check(struct storage *storage, struct login *login)
{
	(void)storage;
	world.login = login;
}

void
loop_post(struct loop *loop, struct loop_item *item)
{
	(void)loop;
	item->run(item);
}

enum status
pipeline_submit(struct pipeline *pipeline, struct submission *submission)
{
	(void)pipeline;
	if (world.refusal != OK)
		return fault_set(&submission->fault, world.refusal, "conversation_not_found", NULL,
				 "No such conversation.");
	assert_in_range(world.n_in_flight, 0, IN_FLIGHT_MAX - 1);
	world.in_flight[world.n_in_flight++] = submission;
	return OK;
}

void
submission_finish(struct submission *submission)
{
	(void)submission;
}

enum status
pipeline_change(struct pipeline *pipeline, struct change_submission *submission)
{
	(void)pipeline;
	if (world.refusal != OK)
		return fault_set(&submission->fault, world.refusal, "message_not_found", NULL, "No such message.");
	assert_in_range(world.n_changes, 0, IN_FLIGHT_MAX - 1);
	world.changes[world.n_changes++] = submission;
	return OK;
}

void
change_submission_finish(struct change_submission *submission)
{
	(void)submission;
}

enum status
writer_submit(struct writer *writer, struct write_op *op)
{
	(void)writer;
	assert_int_equal(op->kind, WRITE_MARK_READ);
	if (world.refusal != OK)
		return op->status = fault_set(&op->fault, world.refusal, "server_busy", NULL, "Too many changes wait.");
	assert_in_range(world.n_marks, 0, IN_FLIGHT_MAX - 1);
	world.marks[world.n_marks++] = (struct write_mark_read *)op;
	return OK;
}

/* The scene. */

static inline int
set_up(void **state)
{
	const struct session_server_options options = {
		.token_key = &world.key,
		.node = "node-1",
		.frame_bytes = 65536,
		.rate = {1000000, 1000000},
		.bus = (struct bus *)&world.n_left,
		.auth_ms = 5000,
		.heartbeat_ms = 25000,
		.sockets_per_user = 16,
	};
	struct session_server_options with_wheel = options;

	(void)state;
	memset(&world, 0, sizeof world);
	memset(world.key.bytes, 7, sizeof world.key.bytes);
	world.conn.writable = world.conn.reading = true;
	memcpy(world.room, ROOM, ID_SIZE);
	world.member_count = 250;
	world.wheel = with_wheel.wheel = wheel_create(NULL);
	world.server = session_server_create(&with_wheel);
	session_server_handlers(&world.handlers);
	world.session = world.handlers.opened(world.server, &world.conn);
	return 0;
}

static inline int
tear_down(void **state)
{
	(void)state;
	if (world.session != NULL)
		world.handlers.closed(world.session);
	for (size_t i = 0; i < world.conn.n_out; i++)
		json_decref(world.conn.out[i]);
	session_server_destroy(world.server);
	wheel_destroy(world.wheel);
	return 0;
}

static inline void
say(const char *text)
{
	world.handlers.received(world.session, text, strlen(text));
}

static inline void
make_token_of(const char *user_id, const char *session_id, int64_t life_s, char ret_token[TOKEN_SIZE])
{
	int64_t now_s = clock_wall_ms() / 1000;
	struct token_claims claims = {.issued_at_s = now_s - 1000, .expires_at_s = now_s + life_s};

	snprintf(claims.user_id, sizeof claims.user_id, "%s", user_id);
	snprintf(claims.session_id, sizeof claims.session_id, "%s", session_id);
	assert_int_equal(token_make(&world.key, &claims, ret_token), OK);
}

static inline void
say_auth(const char *more)
{
	char token[TOKEN_SIZE];
	char text[2048];

	make_token_of(USER, LOGIN, 600, token);
	snprintf(text, sizeof text, "{\"id\":1,\"type\":\"auth\",\"token\":\"%s\"%s}", token, more);
	say(text);
}

static inline void
answer_login(enum status status)
{
	struct login *login = world.login;

	world.login = NULL;
	assert_non_null(login);
	login->done(login, status);
}

static inline void
go_live(void)
{
	const struct session_hello hello = {.epoch = "e1", .me = 14, .mode = "normal"};

	say_auth("");
	answer_login(OK);
	session_greet(world.session, &hello);
	assert_int_equal(world.conn.n_out, 1);
}

static inline json_t *
last_out(void)
{
	assert_in_range(world.conn.n_out, 1, OUT_MAX);
	return world.conn.out[world.conn.n_out - 1];
}

static inline const char *
text_of(json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static inline void
expect_error(const char *code)
{
	json_t *error = json_object_get(last_out(), "error");

	assert_true(json_is_false(json_object_get(last_out(), "ok")));
	assert_string_equal(text_of(error, "code"), code);
	assert_true(json_is_string(json_object_get(error, "detail")));
	assert_true(json_is_boolean(json_object_get(error, "retryable")));
}

static inline void
expect_closed(int code, const char *reason)
{
	assert_int_equal(world.conn.code, code);
	assert_string_equal(world.conn.reason, reason);
}

static inline void
finish_send(size_t i, enum status status)
{
	struct submission *submission = world.in_flight[i];

	submission->status = status;
	if (status != OK)
		fault_set(&submission->fault, status, "id_reused", NULL, "That id is another message.");
	submission->stored.rev = (int64_t)i + 100;
	submission->stored.content = submission->draft.content;
	submission->done(submission);
}

static inline void
finish_change(size_t i, enum status status, bool unchanged)
{
	struct change_submission *submission = world.changes[i];

	submission->status = status;
	submission->unchanged = unchanged;
	if (status != OK)
		fault_set(&submission->fault, status, "not_sender", NULL, "It is not yours.");
	submission->stored.rev = (int64_t)i + 200;
	submission->done(submission);
}

static inline void
finish_mark(size_t i, enum status status)
{
	struct write_mark_read *mark = world.marks[i];

	mark->op.status = status;
	if (status != OK)
		fault_set(&mark->op.fault, status, "out_of_range", "seq", "There is no message there.");
	mark->membership.user_rev = (int64_t)i + 300;
	mark->membership.read_seq = mark->seq;
	mark->membership.delivered_seq = mark->delivered_seq;
	mark->membership.last_seq = 50;
	mark->op.done(&mark->op);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
