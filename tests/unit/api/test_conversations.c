/* Sending and reading: send_message, send_direct_message, the lists, changes and sync. */
#include "fixture.h"

static struct fixture f;
static struct fixture_person ann, bob, eve;

/* A direct message; its conversation's id. */
static void
say(const struct fixture_person *from, const struct fixture_person *to, const char *content,
    char ret_conversation_id[1024])
{
	char body[2500];

	snprintf(body, sizeof body, "{\"recipient_id\":\"%s\",\"content\":\"%s\"}", to->id, content);
	assert_int_equal(fixture_ask_as(&f, from, "POST", "/api/v1/messages", body), 201);
	fixture_take(&f, NULL, "conversation_id", ret_conversation_id);
}

static void
ask_in(const struct fixture_person *person, const char *method, const char *conversation_id, const char *rest,
       const char *body)
{
	char uri[1200];

	snprintf(uri, sizeof uri, "/api/v1/conversations/%s%s", conversation_id, rest);
	fixture_ask_as(&f, person, method, uri, body);
}

static int64_t
number(const char *key)
{
	CLEANUP_JSON json_t *answer = fixture_answer(&f);

	return json_integer_value(json_object_get(answer, key));
}

static void
test_an_id_is_one_message(void **state)
{
	char room[1024];

	(void)state;
	say(&ann, &bob, "one", room);
	fixture_param(&f, "HTTP_IDEMPOTENCY_KEY", "11111111-2222-4333-8444-55555555AAAA");
	ask_in(&ann, "POST", room, "/messages", "{\"content\":\"two\"}");
	assert_int_equal(f.req.http_status, 201);
	int64_t seq = number("seq");
	ask_in(&ann, "POST", room, "/messages",
	       "{\"content\":\"two\",\"id\":\"11111111-2222-4333-8444-55555555aaaa\"}");
	assert_int_equal(f.req.http_status, 200);
	assert_string_equal(fixture_header(&f, "Idempotent-Replayed"), "true");
	assert_int_equal(number("seq"), seq);
	ask_in(&ann, "POST", room, "/messages",
	       "{\"content\":\"three\",\"id\":\"11111111-2222-4333-8444-55555555aaaa\"}");
	fixture_assert_problem(&f, 409, "id_reused");

	fixture_param(&f, "HTTP_IDEMPOTENCY_KEY", "no-uuid");
	ask_in(&ann, "POST", room, "/messages", "{\"content\":\"x\"}");
	fixture_assert_problem(&f, 400, "idempotency_key_invalid");
	fixture_param(&f, "HTTP_IDEMPOTENCY_KEY", "11111111-2222-4333-8444-55555555bbbb");
	ask_in(&ann, "POST", room, "/messages", "{\"content\":\"x\",\"id\":\"11111111-2222-4333-8444-55555555aaaa\"}");
	fixture_assert_problem(&f, 422, "idempotency_key_differs");
}

static void
test_strangers_find_nothing(void **state)
{
	static const char *const reads[] = {"", "/messages", "/changes?after_rev=0"};
	char room[1024];

	(void)state;
	say(&ann, &bob, "one", room);
	for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++) {
		ask_in(&eve, "GET", room, reads[i], NULL);
		fixture_assert_problem(&f, 404, "conversation_not_found");
		ask_in(&eve, "GET", "no-id", reads[i], NULL);
		fixture_assert_problem(&f, 404, "conversation_not_found");
	}
	ask_in(&eve, "POST", room, "/messages", "{\"content\":\"x\"}");
	fixture_assert_problem(&f, 404, "conversation_not_found");
}

static void
test_page_parameters(void **state)
{
	static const struct {
		const char *query;
		int status;
		const char *code;
	} rows[] = {
		{"?before_seq=1&after_seq=1", 400, "parameters_exclusive"},
		{"?before_seq=9007199254740992", 400, "not_a_number"},
		{"?before_seq=-1", 422, "out_of_range"},
		{"?before_seq=", 400, "not_a_number"},
		{"?limit=201", 422, "out_of_range"},
		{"?unheard_of=1", 400, "parameter_unknown"},
	};
	char room[1024];

	(void)state;
	say(&ann, &bob, "one", room);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char rest[128];

		snprintf(rest, sizeof rest, "/messages%s", rows[i].query);
		ask_in(&ann, "GET", room, rest, NULL);
		fixture_assert_problem(&f, rows[i].status, rows[i].code);
	}
	ask_in(&ann, "GET", room, "/changes", NULL);
	fixture_assert_problem(&f, 400, "parameter_missing");
}

static void
test_what_is_held_is_not_sent(void **state)
{
	static const char *const paths[] = {"", "/messages", "/messages?after_seq=0&limit=2"};
	char room[1024], etag[256], list[300];

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		say(&ann, &bob, "news", room);
		ask_in(&ann, "GET", room, paths[i], NULL);
		assert_int_equal(f.req.http_status, 200);
		assert_string_equal(fixture_header(&f, "Cache-Control"), "private, no-cache");
		snprintf(etag, sizeof etag, "%s", fixture_header(&f, "ETag"));
		snprintf(list, sizeof list, "\"other\", W/%s", etag);
		fixture_param(&f, "HTTP_IF_NONE_MATCH", list);
		ask_in(&ann, "GET", room, paths[i], NULL);
		assert_int_equal(f.req.http_status, 304);
		assert_null(f.req.reply_bytes);
		assert_string_equal(fixture_header(&f, "ETag"), etag);

		fixture_param(&f, "HTTP_IF_NONE_MATCH", etag);
		ask_in(&bob, "GET", room, paths[i], NULL);
		assert_int_equal(f.req.http_status, 200);
		say(&ann, &bob, "more", room);
		fixture_param(&f, "HTTP_IF_NONE_MATCH", etag);
		ask_in(&ann, "GET", room, paths[i], NULL);
		assert_int_equal(f.req.http_status, 200);
	}
}

static void
test_changes(void **state)
{
	char room[1024];

	(void)state;
	say(&ann, &bob, "one", room);
	ask_in(&bob, "GET", room, "/changes?after_rev=0&limit=1", NULL);
	assert_int_equal(f.req.http_status, 200);
	CLEANUP_JSON json_t *answer = fixture_answer(&f);
	assert_true(json_is_true(json_object_get(answer, "has_more")));
	assert_int_equal(json_integer_value(json_object_get(answer, "next_after_rev")), 1);
}

static void
test_sync_pages(void **state)
{
	char first[1024], second[1024], body[2048], cursor[1024];

	(void)state;
	say(&eve, &ann, "one", first);
	say(&eve, &bob, "two", second);
	assert_int_equal(fixture_ask_as(&f, &eve, "POST", "/api/v1/sync", "{\"limit\":1}"), 200);
	fixture_take(&f, NULL, "next_cursor", cursor);
	CLEANUP_JSON json_t *page = fixture_answer(&f);
	const json_t *head = json_array_get(json_object_get(page, "conversations"), 0);
	assert_int_equal(json_array_size(json_object_get(page, "conversations")), 1);
	assert_int_equal(json_array_size(json_object_get(json_object_get(page, "me"), "memberships")), 2);

	const char *told = json_string_value(json_object_get(head, "conversation_id"));
	const char *other = strcmp(told, first) == 0 ? second : first;
	snprintf(body, sizeof body, "{\"limit\":1,\"cursor\":\"%s\"}", cursor);
	assert_int_equal(fixture_ask_as(&f, &eve, "POST", "/api/v1/sync", body), 200);
	CLEANUP_JSON json_t *last = fixture_answer(&f);
	head = json_array_get(json_object_get(last, "conversations"), 0);
	assert_string_equal(json_string_value(json_object_get(head, "conversation_id")), other);
	assert_true(json_is_null(json_object_get(last, "next_cursor")));
	assert_true(json_equal(json_object_get(json_object_get(page, "me"), "rev"),
			       json_object_get(json_object_get(last, "me"), "rev")));
}

static void
test_sync_tells_what_moved_and_what_is_gone(void **state)
{
	static const char nowhere[] = "11111111-2222-4333-8444-555555555555";
	char room[1024], epoch[1024], body[2500];

	(void)state;
	say(&ann, &ann, "note", room);
	int64_t rev = number("rev");
	assert_int_equal(fixture_ask_as(&f, &ann, "POST", "/api/v1/sync", "{}"), 200);
	fixture_take(&f, NULL, "epoch", epoch);
	snprintf(body, sizeof body, "{\"epoch\":\"%s\",\"me\":1,\"known\":{\"%s\":%d,\"%s\":3}}", epoch, room, (int)rev,
		 nowhere);
	assert_int_equal(fixture_ask_as(&f, &ann, "POST", "/api/v1/sync", body), 200);
	CLEANUP_JSON json_t *answer = fixture_answer(&f);
	assert_null(strstr(f.req.reply_bytes, "\"conversations\":[]")); /* others did move */
	assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "removed"), 0)), nowhere);
	assert_int_equal(json_array_size(json_object_get(answer, "removed")), 1);

	const json_t *head;
	size_t i;
	json_array_foreach (json_object_get(answer, "conversations"), i, head)
		assert_string_not_equal(json_string_value(json_object_get(head, "conversation_id")), room);
}

static void
test_sync_refusals(void **state)
{
	static const struct {
		const char *body;
		int status;
		const char *code;
	} rows[] = {
		{"{\"known\":[]}", 400, "wrong_type"},
		{"{\"known\":{\"x\":\"y\"}}", 400, "wrong_type"},
		{"{\"known\":{\"x\":1}}", 422, "id_invalid"},
		{"{\"me\":-1}", 422, "out_of_range"},
		{"{\"limit\":0}", 422, "out_of_range"},
		{"{\"cursor\":\"x\"}", 400, "cursor_invalid"},
		{"{\"x\":1}", 400, "unknown_key"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fixture_ask_as(&f, &ann, "POST", "/api/v1/sync", rows[i].body);
		fixture_assert_problem(&f, rows[i].status, rows[i].code);
	}
}

static void
test_list_conversations_in_pages(void **state)
{
	char cursor[1024], uri[1200];

	(void)state;
	assert_int_equal(fixture_ask_as(&f, &eve, "GET", "/api/v1/conversations?limit=1", NULL), 200);
	fixture_take(&f, NULL, "next_cursor", cursor);
	snprintf(uri, sizeof uri, "/api/v1/conversations?limit=1&cursor=%s", cursor);
	assert_int_equal(fixture_ask_as(&f, &eve, "GET", uri, NULL), 200);
	CLEANUP_JSON json_t *answer = fixture_answer(&f);
	assert_int_equal(json_array_size(json_object_get(answer, "items")), 1);
	assert_true(json_is_null(json_object_get(answer, "next_cursor")));
}

static int
set_up(void **state)
{
	(void)state;
	fixture_set_up(&f);
	fixture_sign_up(&f, "ann", &ann);
	fixture_sign_up(&f, "bob", &bob);
	fixture_sign_up(&f, "eve", &eve);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	fixture_tear_down(&f);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_id_is_one_message),
		cmocka_unit_test(test_strangers_find_nothing),
		cmocka_unit_test(test_page_parameters),
		cmocka_unit_test(test_what_is_held_is_not_sent),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_sync_pages),
		cmocka_unit_test(test_sync_tells_what_moved_and_what_is_gone),
		cmocka_unit_test(test_sync_refusals),
		cmocka_unit_test(test_list_conversations_in_pages),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
