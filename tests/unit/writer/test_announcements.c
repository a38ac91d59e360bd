/* writer: what a batch says on the bus, and in which order, as a subscriber of a real Redis hears it. */
#include "support/redis_server.h"
#include "support/writing.h"

enum { N_SENDS = 4 };

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	struct redis_server server;
	struct redis_subscriber subscriber; /* to everybody's stream and the conversation of Ada and Bob */
	char ada[ID_SIZE], bob[ID_SIZE], eve[ID_SIZE];
	char talk[ID_SIZE];
	char notes[ID_SIZE]; /* Eve's to herself */
	struct write_send_message sends[N_SENDS];
};

static void
subscribe(struct fixture *fixture)
{
	const struct {
		char stream;
		const char *id;
	} channels[] = {
		{'u', fixture->ada},  {'u', fixture->bob},   {'u', fixture->eve},
		{'c', fixture->talk}, {'c', fixture->notes},
	};

	for (int i = 0; i < (int)(sizeof channels / sizeof channels[0]); i++) {
		char channel[EVENT_CHANNEL_SIZE];

		snprintf(channel, sizeof channel, "%c:%s", channels[i].stream, channels[i].id);
		redis_subscriber_add(&fixture->subscriber, channel, i + 1);
	}
	redis_subscriber_add(&fixture->subscriber, "c:end", (int)(sizeof channels / sizeof channels[0]) + 1);
}

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	fixture->runner.db = fixture->test->db;
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob);
	add_person(fixture->test, "eve", fixture->eve);
	id_direct_conversation(fixture->ada, fixture->bob, fixture->talk);
	id_direct_conversation(fixture->eve, fixture->eve, fixture->notes);
	redis_server_init(&fixture->server);
	redis_server_start(&fixture->server);
	redis_subscriber_init(&fixture->subscriber, &fixture->server);
	subscribe(fixture);
	assert_int_equal(bus_create(fixture->server.url, &fixture->runner.bus, NULL), OK);
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < N_SENDS; i++)
		arena_finish(&fixture->sends[i].op.arena);
	bus_destroy(fixture->runner.bus);
	redis_subscriber_finish(&fixture->subscriber);
	redis_server_finish(&fixture->server);
	test_database_teardown((void **)&fixture->test);
	free(fixture);
	return 0;
}

static void
run(struct fixture *fixture, size_t n)
{
	struct write_op *ops[N_SENDS];

	for (size_t i = 0; i < n; i++)
		ops[i] = &fixture->sends[i].op;
	batch_run(&fixture->runner, ops, n);
}

/* All that was handed to the bus has been heard: what comes next is this. */
static void
expect_nothing(struct fixture *fixture)
{
	assert_true(bus_publish(fixture->runner.bus, "c:end", "x", 1));
	redis_subscriber_expect_record(&fixture->subscriber, "c:end", "x", 1);
}

/* The next record is this one; its JSON is the caller's. */
static json_t *
expect_event(struct redis_subscriber *subscriber, char stream, const char *id, const char *kind, int64_t rev)
{
	char channel[EVENT_CHANNEL_SIZE], expected[EVENT_CHANNEL_SIZE], epoch[EVENT_EPOCH_SIZE];
	struct event event;
	size_t len;
	char *bytes = redis_subscriber_next(subscriber, channel, sizeof channel, &len);

	snprintf(expected, sizeof expected, "%c:%s", stream, id);
	assert_string_equal(channel, expected);
	assert_int_equal(event_decode(channel, bytes, len, epoch, &event), OK);
	assert_string_equal(event.kind, kind);
	assert_int_equal(event.rev, rev);
	assert_true(strlen(epoch) > 0);
	if (stream == 'u')
		assert_int_equal(event.member_rev, 1);

	json_t *json = json_loadb(event.json, event.json_len, 0, NULL);
	assert_non_null(json);
	free(bytes);
	return json;
}

/* The item as this person sees it: both members, the newest message, what they have not read. */
static void
expect_created(struct redis_subscriber *subscriber, const char *user_id, int64_t unread, int64_t last_rev)
{
	json_t *json = expect_event(subscriber, 'u', user_id, "conversation.created", 1);
	const json_t *item = json_object_get(json, "conversation");

	assert_int_equal(json_integer_value(json_object_get(json, "me")), 1);
	assert_int_equal(json_array_size(json_object_get(item, "members")), 2);
	assert_int_equal(json_integer_value(json_object_get(item, "unread_count")), unread);
	assert_int_equal(json_integer_value(json_object_get(item, "last_rev")), last_rev);
	assert_true(json_is_object(json_object_get(item, "last_message")));
	json_decref(json);
}

static void
a_first_message_tells_everybody_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct redis_subscriber *subscriber = &fixture->subscriber;
	bool ada_first = strcmp(fixture->ada, fixture->bob) < 0; /* members are told by id */
	const char *content;
	json_t *json;
	char nobody[ID_SIZE];

	id_make(nobody);
	make_direct_send(&fixture->sends[0], fixture->ada, fixture->bob, NULL, "one");
	make_direct_send(&fixture->sends[1], fixture->ada, nobody, NULL, "refused");
	make_direct_send(&fixture->sends[2], fixture->ada, fixture->bob, fixture->sends[0].draft.id,
			 "one"); /* a replay */
	make_direct_send(&fixture->sends[3], fixture->ada, fixture->bob, NULL, "two");
	run(fixture, 4);

	json_decref(expect_event(subscriber, 'c', fixture->talk, "member.joined", 1));
	expect_created(subscriber, ada_first ? fixture->ada : fixture->bob, ada_first ? 0 : 2, 3);
	expect_created(subscriber, ada_first ? fixture->bob : fixture->ada, ada_first ? 2 : 0, 3);
	json = expect_event(subscriber, 'c', fixture->talk, "message.created", 2);
	content = json_string_value(json_object_get(json_object_get(json, "message"), "content"));
	assert_string_equal(content, "one");
	json_decref(json);
	json_decref(expect_event(subscriber, 'c', fixture->talk, "message.created", 3));
	expect_nothing(fixture);
}

static void
notes_to_oneself_have_one_member(void **state)
{
	struct fixture *fixture = *state;
	struct redis_subscriber *subscriber = &fixture->subscriber;
	json_t *json;

	make_direct_send(&fixture->sends[0], fixture->eve, fixture->eve, NULL, "milk");
	run(fixture, 1);
	assert_stored(&fixture->sends[0], 1, 2);
	assert_string_equal(fixture->sends[0].stored.recipient_id, fixture->eve);
	json = expect_event(subscriber, 'c', fixture->notes, "member.joined", 1);
	assert_int_equal(json_array_size(json_object_get(json, "members")), 1);
	json_decref(json);
	json_decref(expect_event(subscriber, 'u', fixture->eve, "conversation.created", 1));
	json_decref(expect_event(subscriber, 'c', fixture->notes, "message.created", 2));
	expect_nothing(fixture);
}

/* What is rolled back and run again one by one is still told in order, and what failed is not told at all. */
static void
only_what_was_committed_is_told(void **state)
{
	struct fixture *fixture = *state;
	struct redis_subscriber *subscriber = &fixture->subscriber;

	test_database_poison(fixture->test, false);
	make_direct_send(&fixture->sends[0], fixture->eve, fixture->eve, NULL, "poison");
	make_direct_send(&fixture->sends[1], fixture->eve, fixture->eve, NULL, "milk");
	make_direct_send(&fixture->sends[2], fixture->eve, fixture->eve, NULL, "bread");
	run(fixture, 3);
	json_decref(expect_event(subscriber, 'c', fixture->notes, "member.joined", 1));
	json_decref(expect_event(subscriber, 'u', fixture->eve, "conversation.created", 1));
	json_decref(expect_event(subscriber, 'c', fixture->notes, "message.created", 2));
	json_decref(expect_event(subscriber, 'c', fixture->notes, "message.created", 3));
	expect_nothing(fixture);
}

/* Changes in one batch with the message that they change, and repetitions: each is told once, in the order of the revisions. */
static void
each_change_is_told_once(void **state)
{
	static const struct {
		enum message_action action;
		const char *text, *kind; /* NULL: nothing to tell */
	} cases[] = {
		{MESSAGE_EDIT, "oat milk", "message.updated"},
		{MESSAGE_EDIT, "oat milk", NULL},
		{MESSAGE_REACT, "\xe2\x98\x95", "reaction.updated"},
		{MESSAGE_REACT, "\xe2\x98\x95", NULL},
		{MESSAGE_UNREACT, "\xe2\x98\x95", "reaction.updated"},
		{MESSAGE_DELETE, NULL, "message.deleted"},
		{MESSAGE_DELETE, NULL, NULL},
		{MESSAGE_EDIT, "milk", NULL},
	};
	enum { N = sizeof cases / sizeof cases[0] };
	struct fixture *fixture = *state;
	struct redis_subscriber *subscriber = &fixture->subscriber;
	struct write_send_message *send = &fixture->sends[0];
	struct write_change_message writes[N];
	struct write_op *ops[N + 1] = {&send->op};
	int64_t rev = 2;

	make_direct_send(send, fixture->eve, fixture->eve, NULL, "milk");
	for (size_t i = 0; i < N; i++) {
		make_change(&writes[i], cases[i].action, fixture->eve, fixture->notes, send->draft.id);
		writes[i].change.content = writes[i].change.emoji = cases[i].text;
		ops[i + 1] = &writes[i].op;
	}
	batch_run(&fixture->runner, ops, N + 1);
	json_decref(expect_event(subscriber, 'c', fixture->notes, "member.joined", 1));
	json_decref(expect_event(subscriber, 'u', fixture->eve, "conversation.created", 1));
	json_decref(expect_event(subscriber, 'c', fixture->notes, "message.created", 2));
	for (size_t i = 0; i < N; i++) {
		if (cases[i].kind) {
			json_t *json = expect_event(subscriber, 'c', fixture->notes, cases[i].kind, ++rev);

			assert_string_equal(json_string_value(json_object_get(json, "type")), cases[i].kind);
			assert_int_equal(json_integer_value(json_object_get(json, "rev")), rev);
			json_decref(json);
		}
		arena_finish(&writes[i].op.arena);
	}
	expect_nothing(fixture);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_first_message_tells_everybody_in_order),
		CASE(notes_to_oneself_have_one_member),
		CASE(only_what_was_committed_is_told),
		CASE(each_change_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
