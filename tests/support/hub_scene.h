/* The hub on a real database and a real loop; the bus and the sockets are the test's own, so that records can be lost, late,
 * repeated or early at will. Included by one test program, which gets these in place of session.c and subscriber.c. */
#ifndef SUPPORT_HUB_SCENE_H
#define SUPPORT_HUB_SCENE_H

#include "hub.h"

#include "support/database.h"

#include "base/clock.h"
#include "delivery.h"
#include "pipeline/submit.h"
#include "session.h"
#include "store/conversations.h"
#include "store/meta.h"
#include "store/sessions.h"
#include "store/users.h"
#include "subscriber.h"
#include "writer/writer.h"

/* The test's sockets: they keep the text of every frame. */

enum { FRAMES_MAX = 256 };

struct session {
	struct hub *hub;
	struct hub_socket *socket;
	char login_id[ID_SIZE]; /* the same as the user's id here */
	char *frames[FRAMES_MAX];
	size_t n_frames;
	bool greeted;
	int closed; /* the close code */
};

static void
keep(struct session *session, const char *bytes, size_t len)
{
	assert_true(session->n_frames < FRAMES_MAX);
	session->frames[session->n_frames++] = strndup(bytes, len);
}

void
session_send_durable(struct session *session, struct frame *frame, const char *channel, int64_t rev)
{
	(void)channel, (void)rev;
	assert_true(session->greeted);
	keep(session, (const char *)frame->bytes, frame->len);
}

void
session_send_ephemeral(struct session *session, struct frame *frame, const char *key)
{
	(void)key;
	session_send_control(session, frame);
}

void
session_send_control(struct session *session, struct frame *frame)
{
	keep(session, (const char *)frame->bytes, frame->len);
}

void
session_greet(struct session *session, const struct session_hello *hello)
{
	(void)hello;
	session->greeted = true;
	keep(session, "hello", 5);
}

void
session_close(struct session *session, int code, const char *reason)
{
	(void)reason;
	session->closed = code;
	hub_leave(session->hub, session->socket);
	session->socket = NULL;
}

const char *
session_login_id(const struct session *session)
{
	return session->login_id;
}

/* The test's bus. */

struct subscriber {
	struct subscriber_events events;
	void *context;
};

static struct subscriber bus;

enum status
subscriber_create(struct loop *loop, const char *redis_url, const struct subscriber_events *events, void *context,
		  struct subscriber **ret_subscriber, struct fault *ret_fault)
{
	(void)loop, (void)redis_url, (void)ret_fault;
	bus = (struct subscriber){*events, context};
	*ret_subscriber = &bus;
	return OK;
}

void
subscriber_stop(struct subscriber *subscriber)
{
	(void)subscriber;
}

void
subscriber_destroy(struct subscriber *subscriber)
{
	(void)subscriber;
}

void
subscriber_add(struct subscriber *subscriber, const char *const *channels, size_t n_channels)
{
	for (size_t i = 0; i < n_channels; i++)
		subscriber->events.confirmed(subscriber->context, channels[i]);
}

void
subscriber_remove(struct subscriber *subscriber, const char *channel)
{
	(void)subscriber, (void)channel;
}

/* What a test has. */

struct fixture {
	struct test_database database;
	struct loop *loop;
	struct storage *storage;
	struct hub *hub;
	struct writer *writer;
	struct pipeline *pipeline;
	char ada[ID_SIZE], grace[ID_SIZE], conversation[ID_SIZE];
	char epoch[EVENT_EPOCH_SIZE];
	struct session ada_session;
};

static void
add_user(struct fixture *test, const char *name, char ret_id[ID_SIZE])
{
	struct user user = {.username = name, .username_key = name, .display_name = name, .role = "member"};
	struct login_session login = {.user_agent = "test", .address = "-", .expires_at_ms = clock_wall_ms() + 1000000};
	struct db *db = test->database.db;

	id_make(user.id);
	check_ok(&test->database, db_begin(db, DB_WRITE));
	check_ok(&test->database, users_insert(db, &user, "-", NULL));
	memcpy(login.id, user.id, ID_SIZE);
	memcpy(login.user_id, user.id, ID_SIZE);
	memcpy(login.family_hash, user.id, ID_SIZE);
	check_ok(&test->database, sessions_insert(db, &login));
	check_ok(&test->database, db_commit(db, NULL));
	memcpy(ret_id, user.id, ID_SIZE);
}

/* Stores a message of Ada's to Grace; its record for the bus is encoded into the database's arena. */
static const char *
say(struct fixture *test, const char *content, size_t *ret_len)
{
	struct submission submission = {.draft = {.content = content}};
	struct event event;
	const char *record;

	memcpy(submission.draft.sender_id, test->ada, ID_SIZE);
	memcpy(submission.draft.recipient_id, test->grace, ID_SIZE);
	check_ok(&test->database, pipeline_submit_wait(test->pipeline, &submission));
	memcpy(test->conversation, submission.stored.conversation_id, ID_SIZE);
	event_message_created(&test->database.arena, &submission.stored, &event);
	record = event_encode(&test->database.arena, test->epoch, &event, ret_len);
	submission_finish(&submission);
	return record;
}

static void
receive_record(struct fixture *test, const char *record, size_t len)
{
	char channel[EVENT_CHANNEL_SIZE];

	snprintf(channel, sizeof channel, "c:%s", test->conversation);
	bus.events.record(bus.context, channel, record, len);
}

/* Stores a message and brings its record at once. */
static void
say_and_receive(struct fixture *test, const char *content)
{
	size_t len;
	const char *record = say(test, content, &len);

	receive_record(test, record, len);
}

static void
on_timeout(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Runs the loop until the session has `n` frames, at most 15 s; false then. */
static bool
wait_frames(struct fixture *test, const struct session *session, size_t n)
{
	uv_timer_t timer;
	bool over = false;

	uv_timer_init(loop_uv(test->loop), &timer);
	timer.data = &over;
	uv_timer_start(&timer, on_timeout, 15000, 0);
	while (session->n_frames < n && !over)
		uv_run(loop_uv(test->loop), UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(loop_uv(test->loop), UV_RUN_NOWAIT);
	return session->n_frames >= n;
}

/* Lets the loop turn for a while, in which nothing more is expected to come. */
static void
turn(struct fixture *test, uint64_t ms)
{
	uv_timer_t timer;
	bool over = false;

	uv_timer_init(loop_uv(test->loop), &timer);
	timer.data = &over;
	uv_timer_start(&timer, on_timeout, ms, 0);
	while (!over)
		uv_run(loop_uv(test->loop), UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(loop_uv(test->loop), UV_RUN_NOWAIT);
}

static void
join(struct fixture *test, struct session *session, const char *user_id, const struct hub_request *request)
{
	session->hub = test->hub;
	memcpy(session->login_id, user_id, ID_SIZE);
	session->socket = hub_join(test->hub, session, user_id, request, 16);
	assert_non_null(session->socket);
	assert_true(wait_frames(test, session, 1));
	assert_string_equal(session->frames[0], "hello");
}

static int
setup(void **state)
{
	static const struct hub_request nothing = {.me = -1};
	struct fixture *test = calloc(1, sizeof *test);
	size_t len;

	test_database_create(&test->database);
	test_database_migrate(&test->database);
	check_ok(&test->database, meta_epoch(test->database.db, test->epoch));
	add_user(test, "ada", test->ada);
	add_user(test, "grace", test->grace);
	check_ok(&test->database, writer_create(test->database.url, 1, NULL, &test->writer, NULL));
	check_ok(&test->database, pipeline_create("direct", test->writer, &test->pipeline, NULL));
	assert_int_equal(loop_create(&test->loop), OK);
	assert_int_equal(storage_create(test->database.url, 2, test->loop, &test->storage, NULL), OK);
	assert_int_equal(hub_create(test->loop, test->storage, "unix:/unused", &test->hub, NULL), OK);
	say(test, "the first", &len);
	bus.events.up(bus.context);
	while (strcmp(hub_mode(test->hub), "normal") != 0)
		uv_run(loop_uv(test->loop), UV_RUN_ONCE);
	join(test, &test->ada_session, test->ada, &nothing);
	*state = test;
	return 0;
}

static void
leave(struct fixture *test, struct session *session)
{
	hub_leave(test->hub, session->socket);
	for (size_t i = 0; i < session->n_frames; i++)
		free(session->frames[i]);
}

static int
teardown(void **state)
{
	struct fixture *test = *state;

	leave(test, &test->ada_session);
	storage_stop(test->storage);
	hub_stop(test->hub);
	loop_close_handles(test->loop);
	uv_run(loop_uv(test->loop), UV_RUN_DEFAULT);
	hub_destroy(test->hub);
	storage_destroy(test->storage);
	loop_destroy(test->loop);
	pipeline_destroy(test->pipeline);
	writer_destroy(test->writer);
	test_database_destroy(&test->database);
	free(test);
	return 0;
}

static void
assert_frame(const struct session *session, size_t index, const char *type, const char *part)
{
	char wanted[64];

	assert_true(index < session->n_frames);
	snprintf(wanted, sizeof wanted, "\"type\":\"%s\"", type);
	if (!strstr(session->frames[index], wanted) || !strstr(session->frames[index], part))
		fail_msg("frame %zu is not %s with %s: %s", index, type, part, session->frames[index]);
}

#endif
