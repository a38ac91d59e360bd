/* pipeline: the one door: what is refused before it is stored, where a message goes, and how the answer comes back. */
#include "support/redis_server.h"
#include "support/writing.h"

#include <stdatomic.h>

#include "pipeline/submit.h"

struct fixture {
	struct test_database *test;
	struct writer *writer;
	struct pipeline *pipeline;
	char ada[ID_SIZE], bob[ID_SIZE];
};

static int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	add_person(fixture->test, "ada", fixture->ada);
	add_person(fixture->test, "bob", fixture->bob);
	assert_int_equal(writer_create(fixture->test->url, 1, NULL, &fixture->writer, NULL), OK);
	assert_int_equal(pipeline_create("direct", fixture->writer, &fixture->pipeline, NULL), OK);
	*state = fixture;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	pipeline_destroy(fixture->pipeline);
	writer_destroy(fixture->writer);
	test_database_teardown((void **)&fixture->test);
	free(fixture);
	return 0;
}

static struct submission
to_bob(struct fixture *fixture, const char *content)
{
	struct submission submission = {.draft.content = content};

	memcpy(submission.draft.sender_id, fixture->ada, ID_SIZE);
	memcpy(submission.draft.recipient_id, fixture->bob, ID_SIZE);
	return submission;
}

static void
stored_then_replayed(void **state)
{
	struct fixture *fixture = *state;
	struct submission submission = to_bob(fixture, "hello");
	char id[ID_SIZE], talk[ID_SIZE];

	id_direct_conversation(fixture->ada, fixture->bob, talk);
	check_status(pipeline_submit_wait(fixture->pipeline, &submission), OK);
	assert_int_equal(submission.result, SUBMIT_STORED);
	assert_int_equal(submission.stored.seq, 1);
	assert_string_equal(submission.stored.conversation_id, talk);
	assert_string_equal(submission.stored.content, "hello");
	memcpy(id, submission.stored.id, ID_SIZE);

	check_status(pipeline_submit_wait(fixture->pipeline, &submission), OK); /* the same again, as an outbox does */
	assert_int_equal(submission.result, SUBMIT_REPLAYED);
	assert_string_equal(submission.stored.id, id);
	assert_int_equal(submission.stored.seq, 1);
	submission_finish(&submission);

	submission = to_bob(fixture, "other");
	memcpy(submission.draft.id, id, ID_SIZE);
	check_status(pipeline_submit_wait(fixture->pipeline, &submission), ERR_CONFLICT);
	assert_string_equal(submission.fault.code, "id_reused");
	submission_finish(&submission);
}

static void
never_called(struct submission *submission)
{
	(void)submission;
	fail_msg("done was called for a submission that was refused at once");
}

static void
refused_at_once(void **state)
{
	static const struct {
		const char *content, *conversation_id, *recipient_id, *id;
		enum status status;
		const char *code;
	} cases[] = {
		{"", "", "01890000-0000-7000-8000-00000000000b", "", ERR_INVALID, "content_invalid"},
		{"\x01", "", "01890000-0000-7000-8000-00000000000b", "", ERR_INVALID, "content_invalid"},
		{"hi", "", "nobody", "", ERR_INVALID, "id_invalid"},
		{"hi", "here", "", "", ERR_INVALID, "id_invalid"},
		{"hi", "", "01890000-0000-7000-8000-00000000000b", "7", ERR_INVALID, "id_invalid"},
		{"hi", "", "", "", ERR_MALFORMED, "address_invalid"},
		{"hi", "01890000-0000-7000-8000-00000000000c", "01890000-0000-7000-8000-00000000000b", "",
		 ERR_MALFORMED, "address_invalid"},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct submission submission = {.draft.content = cases[i].content, .done = never_called};

		memcpy(submission.draft.sender_id, fixture->ada, ID_SIZE);
		snprintf(submission.draft.conversation_id, ID_SIZE, "%s", cases[i].conversation_id);
		snprintf(submission.draft.recipient_id, ID_SIZE, "%s", cases[i].recipient_id);
		snprintf(submission.draft.id, ID_SIZE, "%s", cases[i].id);
		check_status(pipeline_submit(fixture->pipeline, &submission), cases[i].status);
		check_status(submission.status, cases[i].status);
		assert_string_equal(submission.fault.code, cases[i].code);
		check_status(pipeline_submit_wait(fixture->pipeline, &submission), cases[i].status);
		submission_finish(&submission);
	}
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM conversations"), 0);
}

static void
refused_by_the_writer(void **state)
{
	struct fixture *fixture = *state;
	struct submission submission = to_bob(fixture, "hello");

	id_make(submission.draft.recipient_id);
	check_status(pipeline_submit_wait(fixture->pipeline, &submission), ERR_NOT_FOUND);
	assert_string_equal(submission.fault.code, "user_not_found");
	submission_finish(&submission);
}

static atomic_int n_answers;

/* It may be freed by then: all that is needed is read before. */
static void
on_done(struct submission *submission)
{
	int *order = submission->context;

	*order = submission->status == OK ? (int)submission->stored.seq : -1;
	submission_finish(submission);
	free(submission);
	atomic_fetch_add(&n_answers, 1);
}

static void
many_in_flight_keep_their_order(void **state)
{
	enum { N = 200 };
	struct fixture *fixture = *state;
	int seqs[N];

	atomic_store(&n_answers, 0);
	for (int i = 0; i < N; i++) {
		struct submission *submission = calloc(1, sizeof *submission);

		*submission = to_bob(fixture, "hello");
		submission->done = on_done;
		submission->context = &seqs[i];
		check_status(pipeline_submit(fixture->pipeline, submission), OK);
	}
	WAIT_FOR(atomic_load(&n_answers) == N);
	for (int i = 0; i < N; i++)
		assert_int_equal(seqs[i], i + 1);
}

/* Ada's first message to Bob, and the edit of it by `actor_id`. */
static struct change_submission
edit_of_first(struct fixture *fixture, const char *actor_id, const char *content)
{
	struct change_submission submission = {.change = {.action = MESSAGE_EDIT, .content = content}};
	struct submission first = to_bob(fixture, "hello");

	memcpy(first.draft.id, "01890000-0000-7000-8000-00000000000d", ID_SIZE);
	check_status(pipeline_submit_wait(fixture->pipeline, &first), OK);
	memcpy(submission.change.conversation_id, first.stored.conversation_id, ID_SIZE);
	memcpy(submission.change.message_id, first.stored.id, ID_SIZE);
	memcpy(submission.change.actor_id, actor_id, ID_SIZE);
	submission_finish(&first);
	return submission;
}

static void
a_change_is_made_once(void **state)
{
	struct fixture *fixture = *state;
	struct change_submission submission = edit_of_first(fixture, fixture->ada, "hello Bob");

	check_status(pipeline_change_wait(fixture->pipeline, &submission), OK);
	assert_false(submission.unchanged);
	assert_int_equal(submission.stored.rev, 3);
	assert_string_equal(submission.stored.content, "hello Bob");

	check_status(pipeline_change_wait(fixture->pipeline, &submission), OK); /* the same again */
	assert_true(submission.unchanged);
	assert_int_equal(submission.stored.rev, 3);
	assert_string_equal(submission.stored.content, "hello Bob");
	change_submission_finish(&submission);

	submission = edit_of_first(fixture, fixture->bob, "hello Bob");
	check_status(pipeline_change_wait(fixture->pipeline, &submission), ERR_FORBIDDEN);
	assert_string_equal(submission.fault.code, "not_sender");
	change_submission_finish(&submission);
}

static void
never_changed(struct change_submission *submission)
{
	(void)submission;
	fail_msg("done was called for a change that was refused at once");
}

static void
a_change_is_refused_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct change_submission submission = edit_of_first(fixture, fixture->ada, "");

	submission.done = never_changed;
	check_status(pipeline_change(fixture->pipeline, &submission), ERR_INVALID);
	check_status(submission.status, ERR_INVALID);
	assert_string_equal(submission.fault.code, "content_invalid");
	submission.change.message_id[0] = 'x';
	check_status(pipeline_change(fixture->pipeline, &submission), ERR_NOT_FOUND);
	assert_string_equal(submission.fault.code, "message_not_found");
	check_status(pipeline_change_wait(fixture->pipeline, &submission), ERR_NOT_FOUND);
	change_submission_finish(&submission);
}

static void
a_mode_that_is_not_there(void **state)
{
	struct pipeline *pipeline = NULL;
	struct fault fault = {0};

	(void)state;
	check_status(pipeline_create("pigeon", NULL, &pipeline, &fault), ERR_INVALID);
	assert_null(pipeline);
	assert_string_equal(fault.field, "pipeline");
	pipeline_destroy(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(stored_then_replayed),
		CASE(refused_at_once),
		CASE(refused_by_the_writer),
		CASE(many_in_flight_keep_their_order),
		CASE(a_change_is_made_once),
		CASE(a_change_is_refused_at_once),
		cmocka_unit_test(a_mode_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
