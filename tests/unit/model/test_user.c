/* model/user: what a username and a display name may be, and what of a person is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "json.h"
#include "model/user.h"

static void
usernames_are_folded_and_keyed(void **state)
{
	static const struct {
		const char *input, *username, *key; /* username NULL: refused */
	} cases[] = {
		{"ada", "ada", "ada"},
		{"Ada.Love_Lace", "ada.love_lace", "adalovelace"},
		{"B0B-1", "b0b-1", "bobl"},
		{"\xef\xbc\xa1\xef\xbc\xa4\xef\xbc\xa1", "ada", "ada"}, /* full-width letters */
		{"abcdefghijklmnopqrstuvwxyz012345", "abcdefghijklmnopqrstuvwxyz012345",
		 "abcdefghijklmnopqrstuvwxyzol2345"},
		{"abcdefghijklmnopqrstuvwxyz0123456", NULL, NULL},
		{"ab", NULL, NULL},
		{"0ll1.oO0", "0ll1.oo0", "olllooo"},
		{"a-b_c.d", "a-b_c.d", "abcd"},
		{"_ada", NULL, NULL},
		{"ada_", NULL, NULL},
		{"ada.", NULL, NULL},
		{"a--da", NULL, NULL},
		{"a.-da", NULL, NULL},
		{"", NULL, NULL},
		{".ada", NULL, NULL},
		{"ada-", NULL, NULL},
		{"a..da", NULL, NULL},
		{"a._da", NULL, NULL},
		{"a da", NULL, NULL},
		{"\xc3\xa4"
		 "da",
		 NULL, NULL},
		{"\xd0\xb0"
		 "da",
		 NULL, NULL}, /* a Cyrillic a */
		{"ad\xff", NULL, NULL},
		{"ada\n", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena arena = {0};
		struct fault fault = {0};
		const char *username = NULL, *key = NULL;
		enum status status = user_name_check(&arena, cases[i].input, &username, &key, &fault);

		assert_int_equal(status, cases[i].username ? OK : ERR_INVALID);
		if (status == OK) {
			assert_string_equal(username, cases[i].username);
			assert_string_equal(key, cases[i].key);
		} else {
			assert_null(username);
			assert_string_equal(fault.code, "username_invalid");
			assert_string_equal(fault.field, "username");
		}
		arena_finish(&arena);
	}
}

static void
endless_usernames_are_not_folded(void **state)
{
	char input[4096];
	struct arena arena = {0};
	const char *username, *key;

	(void)state;
	memset(input, 'a', sizeof input - 1);
	input[sizeof input - 1] = '\0';
	assert_int_equal(user_name_check(&arena, input, &username, &key, NULL), ERR_INVALID);
	assert_null(arena.newest);
}

static void
nobody_is_called_like_the_deleted(void **state)
{
	static const char *const refused[] = {"deleted",      "DELETED",      "de1eted",
					      "deleted_user", "Deleted.User", "d-eleted"};
	struct arena arena = {0};
	struct fault fault = {0};
	const char *username, *key;

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		assert_int_equal(user_new_name_check(&arena, refused[i], &username, &key, &fault), ERR_INVALID);
		assert_string_equal(fault.code, "username_invalid");
		assert_int_equal(user_name_check(&arena, refused[i], &username, &key, NULL), OK); /* who is, logs in */
	}
	assert_int_equal(user_new_name_check(&arena, "Undeleted", &username, &key, &fault), OK);
	assert_string_equal(username, "undeleted");
	arena_finish(&arena);
}

static void
display_names_are_checked(void **state)
{
	static const struct {
		const char *name;
		bool valid;
	} cases[] = {
		{"Ada Lovelace", true},
		{"\xf0\x9f\x90\xa6", true},
		{"", false},
		{" \t", false},
		{"\xc2\xa0", false}, /* no-break space */
		{"Ada\nLovelace", false},
		{"Ada\xe2\x80\xae"
		 "ecal",
		 false},                    /* right-to-left override */
		{"Ada\xe2\x80\x8b", false}, /* zero-width space */
		{"\xff", false},
		{"deleted user", false},
		{"Deleted USER", false},
		{" Deleted\xc2\xa0 User", false},
		{"\xef\xbc\xa4"
		 "eleted user",
		 false}, /* a full-width D */
		{"deleted users", true},
		{"Ada\xe2\x81\xa6x", false},        /* left-to-right isolate */
		{"Ada\xd8\x9c", false},             /* Arabic letter mark */
		{"Ada\xe2\x80\x8d", false},         /* zero-width joiner */
		{"Ada\xe2\x81\xa0", false},         /* word joiner */
		{"Ada\xef\xbb\xbf", false},         /* byte order mark */
		{"\xe2\xa0\x80", false},            /* Braille without a dot */
		{"\xcc\x81", false},                /* a combining mark alone */
		{"\xd7\xa2\xd7\x93\xd7\x94", true}, /* letters that run from right to left are no control */
		{"0123456789012345678901234567890123456789012345678901234567890123", true},
		{"01234567890123456789012345678901234567890123456789012345678901234", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fault fault = {0};

		assert_int_equal(user_display_name_check(cases[i].name, &fault), cases[i].valid ? OK : ERR_INVALID);
		if (!cases[i].valid)
			assert_string_equal(fault.code, "display_name_invalid");
	}
}

static void
only_oneself_sees_role_and_age(void **state)
{
	static const struct user user = {
		.id = "01890000-0000-7000-8000-000000000001",
		.username = "ada",
		.username_key = "ada",
		.display_name = "Ada \"the\" Lovelace",
		.role = "admin",
		.created_at_ms = 1500,
	};
	char *text = json_to_text(user_to_json(&user), NULL);

	(void)state;
	assert_string_equal(text, "{\"id\":\"01890000-0000-7000-8000-000000000001\",\"username\":\"ada\","
				  "\"display_name\":\"Ada \\\"the\\\" Lovelace\"}");
	free(text);
	text = json_to_text(me_to_json(&user), NULL);
	assert_string_equal(text, "{\"id\":\"01890000-0000-7000-8000-000000000001\",\"username\":\"ada\","
				  "\"display_name\":\"Ada \\\"the\\\" Lovelace\",\"role\":\"admin\","
				  "\"created_at\":\"1970-01-01T00:00:01.500Z\",\"must_change_password\":false}");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usernames_are_folded_and_keyed),    cmocka_unit_test(endless_usernames_are_not_folded),
		cmocka_unit_test(nobody_is_called_like_the_deleted), cmocka_unit_test(display_names_are_checked),
		cmocka_unit_test(only_oneself_sees_role_and_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
