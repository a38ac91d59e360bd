/* The audit: what was noted is read back in pages and by what is asked for, and the database keeps every row as it is. */
#include "support/chat.h"

#include "store/audit.h"

static struct audit_entry
note(struct test_database *test, const char *actor, const char *action, const char *target)
{
	struct audit_entry entry = {.at_ms = CHAT_NOW_MS,
				    .actor = actor,
				    .action = action,
				    .target = target,
				    .detail = "{}"};

	id_make(entry.id);
	chat_write(test, audit_insert(test->db, &entry));
	return entry;
}

/* The actions on a page, with commas. */
static const char *
list(struct test_database *test, struct audit_filter filter, const char *before_id, int64_t limit, bool *ret_more)
{
	struct audit_entry *entries;
	const char *text = "";
	size_t n;

	check_ok(test, audit_list(test->db, &test->arena, &filter, before_id, limit, &entries, &n, ret_more));
	for (size_t i = 0; i < n; i++)
		text = arena_printf(&test->arena, "%s%s%s", text, i ? "," : "", entries[i].action);
	return text;
}
#define ALL ((struct audit_filter){"", "", ""})

static void
what_was_noted_is_read(void **state)
{
	struct test_database *test = *state;
	struct audit_entry entry = {.at_ms = CHAT_NOW_MS,
				    .actor = "operator:root",
				    .action = "user.role_changed",
				    .target = "somebody",
				    .address = "192.0.2.7",
				    .request_id = "request-1",
				    .detail = "{\"from\":\"member\",\"to\":\"admin\"}"},
			   *read;
	size_t n;
	bool more;

	note(test, "operator:root", "settings.sign_up", NULL);
	id_make(entry.id);
	chat_write(test, audit_insert(test->db, &entry));
	check_ok(test, audit_list(test->db, &test->arena, &ALL, NULL, 10, &read, &n, &more));
	assert_int_equal(n, 2);
	assert_string_equal(read[0].id, entry.id);
	assert_int_equal(read[0].at_ms, CHAT_NOW_MS);
	assert_string_equal(read[0].actor, entry.actor);
	assert_string_equal(read[0].action, entry.action);
	assert_string_equal(read[0].target, entry.target);
	assert_string_equal(read[0].address, entry.address);
	assert_string_equal(read[0].request_id, entry.request_id);
	assert_string_equal(read[0].detail, entry.detail);
	assert_null(read[1].target);
	assert_null(read[1].address);
	assert_null(read[1].request_id);
}

static void
pages_go_back_in_time(void **state)
{
	struct test_database *test = *state;
	struct audit_entry entries[4];
	bool more;

	assert_string_equal(list(test, ALL, NULL, 2, &more), "");
	assert_false(more);
	for (size_t i = 0; i < 4; i++)
		entries[i] = note(test, "root", arena_printf(&test->arena, "a.%zu", i), NULL);
	assert_string_equal(list(test, ALL, NULL, 2, &more), "a.3,a.2");
	assert_true(more);
	assert_string_equal(list(test, ALL, entries[2].id, 2, &more), "a.1,a.0");
	assert_false(more); /* a page that is just full is the last one too */
	assert_string_equal(list(test, ALL, entries[0].id, 2, &more), "");
	assert_string_equal(list(test, ALL, "00000000-0000-0000-0000-000000000000", 2, &more), "");
}

static void
an_action_is_found_by_its_beginning(void **state)
{
	static const char *const actions[] = {"user",       "user-x", "user.disabled", "user.enabled",
					      "userx.made", "user0",  "usage"};
	struct test_database *test = *state;
	bool more;

	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
		note(test, "root", actions[i], NULL);
	assert_string_equal(list(test, (struct audit_filter){"", "user", ""}, NULL, 10, &more),
			    "user.enabled,user.disabled,user");
	assert_string_equal(list(test, (struct audit_filter){"", "user.disabled", ""}, NULL, 10, &more),
			    "user.disabled");
	assert_string_equal(list(test, (struct audit_filter){"", "user.", ""}, NULL, 10, &more), "");
	assert_string_equal(list(test, (struct audit_filter){"", "%", ""}, NULL, 10, &more), "");
}

static void
filters_are_all_asked(void **state)
{
	struct test_database *test = *state;
	bool more;

	note(test, "ada", "user.disabled", "bob");
	note(test, "ada", "user.enabled", "eve");
	note(test, "eve", "user.deleted", "bob");
	note(test, "ada", "invite.created", NULL);
	assert_string_equal(list(test, (struct audit_filter){"ada", "", ""}, NULL, 10, &more),
			    "invite.created,user.enabled,user.disabled");
	assert_string_equal(list(test, (struct audit_filter){"", "", "bob"}, NULL, 10, &more),
			    "user.deleted,user.disabled");
	assert_string_equal(list(test, (struct audit_filter){"ada", "user", "bob"}, NULL, 10, &more), "user.disabled");
	assert_string_equal(list(test, (struct audit_filter){"ada", "", ""}, NULL, 2, &more),
			    "invite.created,user.enabled");
	assert_true(more);
	assert_string_equal(list(test, (struct audit_filter){"eve", "", "eve"}, NULL, 10, &more), "");
}

/* Whoever has the connection is refused, whatever the program. */
static void
a_row_stays_as_it_is(void **state)
{
	static const char *const attempts[] = {
		"UPDATE audit SET actor = 'nobody'",
		"UPDATE audit SET detail = detail",
		"DELETE FROM audit",
		"INSERT INTO audit (id, at, actor, action, detail) SELECT id, 1, 'nobody', action, '{}' FROM audit",
		"INSERT INTO audit (id, at, actor, action, detail) SELECT id, 1, 'nobody', action, '{}' FROM audit WHERE 1 = 1"
		" ON CONFLICT (id) DO UPDATE SET actor = excluded.actor",
	};
	struct test_database *test = *state;
	struct audit_entry entry = note(test, "ada", "user.disabled", "bob");

	for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
		check_ok(test, db_begin(test->db, DB_WRITE));
		if (db_run_script(test->db, attempts[i]) == OK)
			fail_msg("done: %s", attempts[i]);
		db_rollback(test->db);
	}
	entry.actor = "nobody";
	check_ok(test, db_begin(test->db, DB_WRITE));
	assert_int_not_equal(audit_insert(test->db, &entry), OK);
	db_rollback(test->db);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM audit"), 1);
	assert_int_equal(test_database_int64(test, "SELECT count(*) FROM audit WHERE actor = 'ada'"), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DATABASE(what_was_noted_is_read),
		WITH_DATABASE(pages_go_back_in_time),
		WITH_DATABASE(an_action_is_found_by_its_beginning),
		WITH_DATABASE(filters_are_all_asked),
		WITH_DATABASE(a_row_stays_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
