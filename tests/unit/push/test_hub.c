/* The hub on a real database and a real loop; the bus and the sockets are the test's own, so that records can be lost, late,
 * repeated or early at will. */
#include "hub.h"

#include "support/database.h"

#include "base/clock.h"
#include "delivery.h"
#include "pipeline/submit.h"
#include "session.h"
#include "store/conversations.h"
#include "store/meta.h"
#include "store/users.h"
#include "subscriber.h"
#include "writer/writer.h"

/* The test's sockets: they keep the text of every frame. */

enum { FRAMES_MAX = 256 };

struct session {
	struct hub *hub;
	struct hub_socket *socket;
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
	(void)session;
	return "11111111-1111-4111-8111-111111111111";
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
	struct db *db = test->database.db;

	id_make(user.id);
	check_ok(&test->database, db_begin(db, DB_WRITE));
	check_ok(&test->database, users_insert(db, &user, "-", NULL));
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
	check_ok(&test->database, writer_create(test->database.url, NULL, &test->writer, NULL));
	check_ok(&test->database, pipeline_create("direct", test->writer, &test->pipeline, NULL));
	assert_int_equal(loop_create(&test->loop), OK);
	assert_int_equal(storage_create(test->database.url, 2, test->loop, &test->storage, NULL), OK);
	assert_int_equal(hub_create(test->loop, test->storage, "unix:/unused", &test->hub, NULL), OK);
	say(test, "the first", &len);
	bus.events.up(bus.context);
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

/* The cases. */

static void
a_record_is_passed_on_once(void **state)
{
	struct fixture *test = *state;
	size_t len;
	const char *record = say(test, "the second", &len);

	receive_record(test, record, len);
	receive_record(test, record, len);
	assert_int_equal(test->ada_session.n_frames, 2);
	assert_frame(&test->ada_session, 1, "message.created", "the second");
}

static void
early_records_wait_for_the_one_before(void **state)
{
	struct fixture *test = *state;
	size_t len_2, len_3;
	const char *second = say(test, "the second", &len_2), *third = say(test, "the third", &len_3);

	receive_record(test, third, len_3);
	assert_int_equal(test->ada_session.n_frames, 1);
	receive_record(test, second, len_2);
	assert_int_equal(test->ada_session.n_frames, 3);
	assert_frame(&test->ada_session, 1, "message.created", "the second");
	assert_frame(&test->ada_session, 2, "message.created", "the third");
}

static void
a_lost_record_is_read_from_the_database(void **state)
{
	struct fixture *test = *state;
	size_t len;

	say(test, "lost", &len);
	const char *third = say(test, "the third", &len);

	receive_record(test, third, len);
	assert_true(wait_frames(test, &test->ada_session, 2));
	assert_frame(&test->ada_session, 1, "changes", "lost");
	assert_frame(&test->ada_session, 1, "changes", "the third");
	turn(test, 200);
	assert_int_equal(test->ada_session.n_frames, 2); /* the record that waited was in the read */
}

static void
a_loss_that_nothing_follows_is_found_by_the_heads_check(void **state)
{
	struct fixture *test = *state;
	int64_t begun_ms = clock_monotonic_ms();
	size_t len;

	say(test, "lost", &len);
	assert_true(wait_frames(test, &test->ada_session, 2));
	assert_frame(&test->ada_session, 1, "changes", "lost");
	begun_ms = clock_monotonic_ms() - begun_ms;
	print_message("found after %lld ms (bound: 5000)\n", (long long)begun_ms);
	assert_true(begun_ms < 15000);
}

static void
delivery_goes_on_without_a_bus(void **state)
{
	struct fixture *test = *state;
	size_t len;

	bus.events.down(bus.context, "test");
	assert_true(wait_frames(test, &test->ada_session, 2));
	assert_frame(&test->ada_session, 1, "mode", "degraded");
	say(test, "without redis", &len);
	assert_true(wait_frames(test, &test->ada_session, 3));
	assert_frame(&test->ada_session, 2, "changes", "without redis");
	bus.events.up(bus.context);
	assert_true(wait_frames(test, &test->ada_session, 4));
	assert_frame(&test->ada_session, 3, "mode", "normal");
}

static void
many_missing_rows_become_a_marker(void **state)
{
	struct fixture *test = *state;
	const char *last = NULL;
	size_t len = 0;

	for (int i = 0; i < 205; i++)
		last = say(test, "one of many", &len);
	receive_record(test, last, len);
	assert_true(wait_frames(test, &test->ada_session, 2));
	assert_frame(&test->ada_session, 1, "gap", test->conversation);
}

static void
a_record_of_another_epoch_is_dropped(void **state)
{
	struct fixture *test = *state;
	char *copy;
	size_t len;
	const char *record = say(test, "the second", &len);

	copy = arena_memdup(&test->database.arena, record, len);
	copy[0] = copy[0] == 'x' ? 'y' : 'x';
	receive_record(test, copy, len);
	assert_int_equal(test->ada_session.n_frames, 1);
}

static void
hello_tells_what_was_missed(void **state)
{
	struct fixture *test = *state;
	struct session late = {0};
	struct hub_known known = {.rev = 1};
	struct hub_request request = {.me = -1, .known = &known, .n_known = 1, .known_count = 1, .has_known = true};

	memcpy(known.conversation_id, test->conversation, ID_SIZE);
	join(test, &late, test->grace, &request);
	assert_true(wait_frames(test, &late, 2));
	assert_frame(&late, 1, "gap", "\"known_rev\":1");
	say_and_receive(test, "live");
	assert_frame(&late, 2, "message.created", "live");
	leave(test, &late);
}

static void
hello_removes_what_one_is_not_in(void **state)
{
	struct fixture *test = *state;
	struct session late = {0};
	struct hub_known known = {.rev = 3, .conversation_id = "0197c0de-0000-7000-8000-000000000000"};
	struct hub_request request = {.me = -1, .known = &known, .n_known = 1, .known_count = 1, .has_known = true};

	memcpy(known.conversation_id, test->conversation, ID_SIZE);
	add_user(test, "carol", test->grace); /* a stranger to the conversation */
	join(test, &late, test->grace, &request);
	assert_true(wait_frames(test, &late, 2));
	assert_frame(&late, 1, "conversation.removed", test->conversation);
	leave(test, &late);
}

static void
a_conversation_joined_while_connected_starts_with_a_snapshot(void **state)
{
	static const struct hub_request nothing = {.me = -1};
	struct fixture *test = *state;
	struct session carol = {0};
	size_t len;

	add_user(test, "carol", test->grace);
	join(test, &carol, test->grace, &nothing);
	say(test, "the first to carol",
	    &len); /* its records are lost: the heads check finds the person's stream ahead */
	assert_true(wait_frames(test, &carol, 3));
	assert_frame(&carol, 1, "changes", "memberships");
	assert_frame(&carol, 2, "changes", "\"snapshot\":true");
	assert_frame(&carol, 2, "changes", "the first to carol");
	say_and_receive(test, "the next");
	assert_frame(&carol, 3, "message.created", "the next");
	leave(test, &carol);
}

static void
a_head_below_what_was_delivered_closes_all(void **state)
{
	struct fixture *test = *state;

	bus.events.down(bus.context, "test"); /* so that heads are asked for soon, after one comparison of all */
	turn(test, 600);
	test_database_run(&test->database,
			  "UPDATE conversations SET last_rev = last_rev - 1, change_no = change_no + 1000");
	for (int i = 0; i < 100 && !test->ada_session.closed; i++)
		turn(test, 100);
	assert_int_equal(test->ada_session.closed, 4001);
}

int
main(void)
{
#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(a_record_is_passed_on_once),
		CASE(early_records_wait_for_the_one_before),
		CASE(a_lost_record_is_read_from_the_database),
		CASE(a_loss_that_nothing_follows_is_found_by_the_heads_check),
		CASE(delivery_goes_on_without_a_bus),
		CASE(many_missing_rows_become_a_marker),
		CASE(a_record_of_another_epoch_is_dropped),
		CASE(hello_tells_what_was_missed),
		CASE(hello_removes_what_one_is_not_in),
		CASE(a_conversation_joined_while_connected_starts_with_a_snapshot),
		CASE(a_head_below_what_was_delivered_closes_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
