/* model/message: what may be said, how a draft is read, which drafts are the same message, and the JSON of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "model/message.h"

#define ADA "01890000-0000-7000-8000-00000000000a"
#define BOB "01890000-0000-7000-8000-00000000000b"
#define TALK "01890000-0000-7000-8000-00000000000c"
#define WORD "01890000-0000-7000-8000-00000000000d"

#define ROUTE MESSAGE_DRAFT_IN_CONVERSATION
#define DIRECT MESSAGE_DRAFT_DIRECT
#define FRAME MESSAGE_DRAFT_FRAME

static void
drafts_are_read(void **state)
{
	static const struct {
		const char *body;
		enum message_draft_form form;
		enum status status;
		const char *code, *field;
	} cases[] = {
		{"{\"content\":\"hi\"}", ROUTE, OK, NULL, NULL},
		{"{\"content\":\"hi\",\"id\":\"" WORD "\",\"reply_to_id\":\"" TALK "\"}", ROUTE, OK, NULL, NULL},
		{"{\"content\":\"hi\",\"id\":null}", ROUTE, OK, NULL, NULL},
		{"{\"content\":\"hi\",\"recipient_id\":\"" BOB "\"}", DIRECT, OK, NULL, NULL},
		{"{\"content\":\"hi\",\"recipient_id\":\"" BOB "\"}", FRAME, OK, NULL, NULL},
		{"{\"content\":\"hi\",\"conversation_id\":\"" TALK "\",\"message_id\":\"" WORD "\"}", FRAME, OK, NULL,
		 NULL},
		{"{\"content\":\"hi\",\"recipient_id\":\"" BOB "\"}", ROUTE, ERR_MALFORMED, "unknown_key",
		 "recipient_id"},
		{"{\"content\":\"hi\",\"conversation_id\":\"" TALK "\"}", DIRECT, ERR_MALFORMED, "unknown_key",
		 "conversation_id"},
		{"{\"content\":\"hi\",\"message_id\":\"" WORD "\"}", ROUTE, ERR_MALFORMED, "unknown_key", "message_id"},
		{"{\"content\":\"hi\"}", DIRECT, ERR_MALFORMED, "missing_key", "recipient_id"},
		{"{\"content\":\"hi\"}", FRAME, ERR_MALFORMED, "missing_key", "conversation_id"},
		{"{\"content\":\"hi\",\"conversation_id\":\"" TALK "\",\"recipient_id\":\"" BOB "\"}", FRAME,
		 ERR_MALFORMED, "one_recipient", "recipient_id"},
		{"{\"content\":\"hi\",\"conversation_id\":\"" TALK "\",\"id\":\"" WORD "\"}", FRAME, ERR_MALFORMED,
		 "unknown_key", "id"},
		{"{}", ROUTE, ERR_MALFORMED, "missing_key", "content"},
		{"{\"content\":7}", ROUTE, ERR_MALFORMED, "wrong_type", "content"},
		{"{\"content\":\"hi\",\"colour\":1}", ROUTE, ERR_MALFORMED, "unknown_key", "colour"},
		{"{\"content\":\"hi\",\"id\":\"7\"}", ROUTE, ERR_INVALID, "id_invalid", "id"},
		{"{\"content\":\"hi\",\"id\":\"\"}", ROUTE, ERR_INVALID, "id_invalid", "id"},
		{"{\"content\":\"hi\",\"id\":\"" WORD "0\"}", ROUTE, ERR_INVALID, "id_invalid", "id"},
		{"{\"content\":\"hi\",\"reply_to_id\":\"x\"}", ROUTE, ERR_INVALID, "id_invalid", "reply_to_id"},
		{"{\"content\":\"hi\",\"recipient_id\":\"x\"}", DIRECT, ERR_INVALID, "id_invalid", "recipient_id"},
		{"{\"content\":\"hi\",\"recipient_id\":\"\"}", FRAME, ERR_INVALID, "id_invalid", "recipient_id"},
		{"{\"content\":\"hi\",\"conversation_id\":\"\"}", FRAME, ERR_NOT_FOUND, "conversation_not_found", NULL},
		{"{\"content\":\"hi\",\"conversation_id\":\"x\"}", FRAME, ERR_NOT_FOUND, "conversation_not_found",
		 NULL},
		{"{\"content\":\"hi\",\"recipient_id\":\"" BOB "\",\"message_id\":\"1\"}", FRAME, ERR_INVALID,
		 "id_invalid", "message_id"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena arena = {0};
		struct fault fault = {0};
		struct message_draft draft = {.sender_id = ADA};
		json_t *body CLEANUP_JSON = NULL;

		assert_int_equal(json_parse_object(cases[i].body, strlen(cases[i].body), &body, &fault), OK);
		assert_int_equal(message_draft_from_json(body, cases[i].form, &arena, &draft, &fault), cases[i].status);
		assert_string_equal(draft.sender_id, ADA);
		if (cases[i].status == OK) {
			assert_string_equal(draft.content, "hi");
			assert_int_equal(draft.id_key != NULL, strcmp(draft.id, WORD) == 0);
			if (draft.id_key)
				assert_string_equal(draft.id_key, cases[i].form == FRAME ? "message_id" : "id");
			assert_int_equal(draft.recipient_id[0] != '\0', strstr(cases[i].body, BOB) != NULL);
			assert_int_equal(draft.reply_to_id[0] != '\0', strstr(cases[i].body, "reply_to_id") != NULL);
			assert_int_equal(draft.conversation_id[0] != '\0',
					 strstr(cases[i].body, "conversation_id") != NULL);
		} else {
			assert_string_equal(fault.code, cases[i].code);
			if (cases[i].field)
				assert_string_equal(fault.field, cases[i].field);
			else
				assert_null(fault.field);
			assert_null(draft.content);
		}
		arena_finish(&arena);
	}
}

static void
a_path_has_named_the_conversation(void **state)
{
	struct message_draft draft = {.sender_id = ADA, .conversation_id = TALK};
	json_t *body CLEANUP_JSON = json_pack("{s:s}", "content", "hi");
	struct arena arena = {0};

	(void)state;
	assert_int_equal(message_draft_from_json(body, ROUTE, &arena, &draft, NULL), OK);
	assert_string_equal(draft.conversation_id, TALK);
	arena_finish(&arena);
}

static void
content_is_text_without_controls(void **state)
{
	static const struct {
		const char *content;
		enum status status;
	} cases[] = {
		{"hi", OK},
		{"a\n\tb", OK},
		{"", ERR_INVALID},
		{"a\x07", ERR_INVALID},
		{"a\xc2\x85", ERR_INVALID},
		{"\xff", ERR_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct message_draft draft = {.sender_id = ADA, .content = cases[i].content};
		struct fault fault = {0};

		assert_int_equal(message_draft_check(&draft, &fault), cases[i].status);
		if (cases[i].status == OK) {
			assert_true(id_is_valid(draft.id));
			assert_int_equal(strlen(draft.digest), ID_DIGEST_SIZE - 1);
		} else {
			assert_string_equal(fault.code, "content_invalid");
			assert_string_equal(fault.field, "content");
		}
	}
}

static void
length_is_bounded_in_characters_and_bytes(void **state)
{
	static const struct {
		const char *character;
		size_t n;
		enum status status;
	} cases[] = {
		{"a", MESSAGE_CODE_POINTS_MAX, OK},
		{"a", MESSAGE_CODE_POINTS_MAX + 1, ERR_INVALID},
		{"\xf0\x9f\x90\xa6", MESSAGE_CODE_POINTS_MAX, OK}, /* 16,000 bytes */
		{"\xf0\x9f\x90\xa6", MESSAGE_CODE_POINTS_MAX + 1, ERR_INVALID},
		{"a", MESSAGE_BYTES_MAX + 1, ERR_INVALID},
		{"\xf0\x9f\x90", 1, ERR_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t len = strlen(cases[i].character);
		char *content = calloc(cases[i].n + 1, len);
		struct message_draft draft = {.sender_id = ADA, .content = content};

		for (size_t j = 0; j < cases[i].n; j++)
			memcpy(content + j * len, cases[i].character, len);
		assert_int_equal(message_draft_check(&draft, NULL), cases[i].status);
		free(content);
	}
}

static void
ids_are_lower_case_and_kept(void **state)
{
	struct message_draft draft = {
		.id = "01890000-0000-7000-8000-00000000000D",
		.sender_id = ADA,
		.conversation_id = "01890000-0000-7000-8000-00000000000C",
		.content = "hi",
	};

	(void)state;
	assert_int_equal(message_draft_check(&draft, NULL), OK);
	assert_string_equal(draft.id, WORD);
	assert_string_equal(draft.conversation_id, TALK);
	assert_string_equal(draft.recipient_id, "");
	assert_int_equal(message_draft_check(&draft, NULL), OK); /* a second check changes nothing */
	assert_string_equal(draft.id, WORD);
}

static void
digest_is_over_sender_content_and_reply(void **state)
{
	static const struct {
		struct message_draft draft;
		bool same;
	} cases[] = {
		{{.sender_id = ADA, .content = "hi"}, true},
		{{.sender_id = ADA, .content = "hi", .id = WORD, .conversation_id = TALK}, true},
		{{.sender_id = BOB, .content = "hi"}, false},
		{{.sender_id = ADA, .content = "ho"}, false},
		{{.sender_id = ADA, .content = "hi", .reply_to_id = WORD}, false},
	};
	struct message_draft first = {.sender_id = ADA, .content = "hi"};

	(void)state;
	assert_int_equal(message_draft_check(&first, NULL), OK);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct message_draft draft = cases[i].draft;

		assert_int_equal(message_draft_check(&draft, NULL), OK);
		assert_int_equal(strcmp(first.digest, draft.digest) == 0, cases[i].same);
	}
}

static void
messages_are_shown(void **state)
{
	struct message message = {
		.id = WORD,
		.conversation_id = TALK,
		.seq = 3,
		.rev = 9007199254740991,
		.sender_id = ADA,
		.recipient_id = BOB,
		.content = "<b>\n\"hi\"",
		.digest = "secret",
		.timestamp_ms = 1500,
	};
	char *text = json_to_text(message_to_json(&message), NULL);

	(void)state;
	assert_string_equal(text,
			    "{\"id\":\"" WORD "\",\"conversation_id\":\"" TALK "\",\"seq\":3,\"rev\":9007199254740991,"
			    "\"sender_id\":\"" ADA "\",\"recipient_id\":\"" BOB "\",\"content\":\"<b>\\n\\\"hi\\\"\","
			    "\"timestamp\":\"1970-01-01T00:00:01.500Z\",\"edited_at\":null,\"deleted\":false,"
			    "\"reply_to_id\":null,\"reactions\":[]}");
	free(text);

	message.recipient_id[0] = '\0';
	message.edited_at_ms = 1600;
	message.deleted_at_ms = 1700;
	memcpy(message.reply_to_id, BOB, ID_SIZE);
	text = json_to_text(message_to_json(&message), NULL);
	assert_string_equal(text,
			    "{\"id\":\"" WORD "\",\"conversation_id\":\"" TALK "\",\"seq\":3,\"rev\":9007199254740991,"
			    "\"sender_id\":\"" ADA "\",\"recipient_id\":null,\"content\":null,"
			    "\"timestamp\":\"1970-01-01T00:00:01.500Z\",\"edited_at\":\"1970-01-01T00:00:01.600Z\","
			    "\"deleted\":true,\"reply_to_id\":\"" BOB "\",\"reactions\":[]}");
	free(text);
}

static void
changes_are_checked(void **state)
{
	static const struct {
		struct message_change change;
		enum status status;
		const char *code, *field;
	} cases[] = {
		{{.action = MESSAGE_EDIT, .content = "hello"}, OK, NULL, NULL},
		{{.action = MESSAGE_EDIT, .content = ""}, ERR_INVALID, "content_invalid", "content"},
		{{.action = MESSAGE_EDIT, .content = "\a"}, ERR_INVALID, "content_invalid", "content"},
		{{.action = MESSAGE_DELETE}, OK, NULL, NULL},
		{{.action = MESSAGE_REACT, .emoji = "\xe2\x98\x95"}, OK, NULL, NULL},
		{{.action = MESSAGE_UNREACT, .emoji = "\xe2\x98\x95"}, OK, NULL, NULL},
		{{.action = MESSAGE_REACT, .emoji = "ok"}, ERR_INVALID, "emoji_invalid", "emoji"},
		{{.action = MESSAGE_UNREACT, .emoji = ""}, ERR_INVALID, "emoji_invalid", "emoji"},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct message_change change = cases[i].change;
		struct fault fault = {0};

		memcpy(change.conversation_id, TALK, ID_SIZE);
		memcpy(change.message_id, WORD, ID_SIZE);
		assert_int_equal(message_change_check(&change, &arena, &fault), cases[i].status);
		assert_true(!fault.code == !cases[i].code);
		if (!fault.code)
			continue;
		assert_string_equal(fault.code, cases[i].code);
		assert_string_equal(fault.field, cases[i].field);
	}
	arena_finish(&arena);
}

/* A heart with U+FE0F is the one without it. What grows beyond the limit by its one form is over it. */
static void
a_change_has_the_one_form_of_its_emoji(void **state)
{
	struct message_change change = {.action = MESSAGE_UNREACT, .emoji = "\xe2\x9d\xa4"};
	char hearts[10 * 6 + 1] = "";
	struct arena arena = {0};
	struct fault fault = {0};

	(void)state;
	memcpy(change.conversation_id, TALK, ID_SIZE);
	memcpy(change.message_id, WORD, ID_SIZE);
	assert_int_equal(message_change_check(&change, &arena, &fault), OK);
	assert_string_equal(change.emoji, "\xe2\x9d\xa4\xef\xb8\x8f");

	for (size_t i = 0; i < 10; i++)
		memcpy(hearts + 6 * i, "\xe2\x9d\xa4\xe2\x80\x8d", 6);
	hearts[6 * 10 - 3] = '\0'; /* joined to nothing at the end */
	change.emoji = hearts;
	assert_int_equal(message_change_check(&change, &arena, &fault), ERR_INVALID);
	assert_string_equal(fault.code, "emoji_invalid");
	arena_finish(&arena);
}

/* An id that cannot be one names nothing, and that is said before what else is wrong. */
static void
a_change_names_its_message(void **state)
{
	struct message_change change = {.action = MESSAGE_EDIT, .content = ""};
	struct arena arena = {0};
	struct fault fault = {0};

	(void)state;
	memcpy(change.message_id, WORD, ID_SIZE);
	assert_int_equal(message_change_check(&change, &arena, &fault), ERR_NOT_FOUND);
	assert_string_equal(fault.code, "conversation_not_found");
	memcpy(change.conversation_id, TALK, ID_SIZE);
	memcpy(change.message_id, "seven", sizeof "seven");
	assert_int_equal(message_change_check(&change, &arena, &fault), ERR_NOT_FOUND);
	assert_string_equal(fault.code, "message_not_found");

	memcpy(change.message_id, "019C1F10-AAAA-7BBB-8CCC-DDDDEEEEFFFF", ID_SIZE);
	change.content = "hello";
	assert_int_equal(message_change_check(&change, &arena, &fault), OK);
	assert_string_equal(change.message_id, "019c1f10-aaaa-7bbb-8ccc-ddddeeeeffff");
	arena_finish(&arena);
}

static void
reactions_are_shown(void **state)
{
	char user_ids[][ID_SIZE] = {ADA, BOB};
	struct reaction reactions[] = {
		{.emoji = "\xe2\x98\x95", .count = 21, .user_ids = user_ids, .n_user_ids = 2},
		{.emoji = "\xe2\x9d\xa4", .count = 1, .user_ids = user_ids, .n_user_ids = 1},
	};
	char *text;

	(void)state;
	text = json_to_text(reactions_to_json(reactions, 2), NULL);
	assert_string_equal(text, "[{\"emoji\":\"\xe2\x98\x95\",\"count\":21,\"user_ids\":[\"" ADA "\",\"" BOB "\"]},"
				  "{\"emoji\":\"\xe2\x9d\xa4\",\"count\":1,\"user_ids\":[\"" ADA "\"]}]");
	free(text);

	struct message message = {.id = WORD, .content = "hi", .reactions = reactions, .n_reactions = 1};
	json_t *json = message_to_json(&message);
	const json_t *shown = json_object_get(json, "reactions");

	assert_int_equal(json_array_size(shown), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(shown, 0), "count")), 21);
	json_decref(json);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drafts_are_read),
		cmocka_unit_test(a_path_has_named_the_conversation),
		cmocka_unit_test(content_is_text_without_controls),
		cmocka_unit_test(length_is_bounded_in_characters_and_bytes),
		cmocka_unit_test(ids_are_lower_case_and_kept),
		cmocka_unit_test(digest_is_over_sender_content_and_reply),
		cmocka_unit_test(messages_are_shown),
		cmocka_unit_test(changes_are_checked),
		cmocka_unit_test(a_change_has_the_one_form_of_its_emoji),
		cmocka_unit_test(a_change_names_its_message),
		cmocka_unit_test(reactions_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
