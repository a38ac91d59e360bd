/* model/conversation and model/changes: the JSON of list items, pages, pulls and the person's stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "json.h"
#include "model/changes.h"

#define ADA "01890000-0000-7000-8000-00000000000a"
#define TALK "01890000-0000-7000-8000-00000000000c"
#define WORD "01890000-0000-7000-8000-00000000000d"

#define MEMBER_JSON                                                                                                    \
	"{\"user_id\":\"" ADA "\",\"username\":\"ada\",\"display_name\":\"Ada\",\"role\":\"member\",\"rev\":1,"        \
	"\"joined_at\":\"1970-01-01T00:00:01.000Z\",\"left_at\":null,\"read_seq\":null,\"delivered_seq\":null}"
#define MESSAGE_JSON                                                                                                   \
	"{\"id\":\"" WORD "\",\"conversation_id\":\"" TALK "\",\"seq\":1,\"rev\":2,\"sender_id\":\"" ADA               \
	"\",\"recipient_id\":null,\"content\":\"hi\",\"timestamp\":\"1970-01-01T00:00:02.000Z\",\"edited_at\":null,"   \
	"\"deleted\":false,\"reply_to_id\":null,\"reactions\":[]}"
#define CONVERSATION_JSON                                                                                              \
	"{\"id\":\"" TALK "\",\"kind\":\"direct\",\"title\":null,\"members\":[" MEMBER_JSON "],\"member_count\":1,"    \
	"\"last_message\":" MESSAGE_JSON ",\"unread_count\":0,\"read_seq\":0,\"last_seq\":1,\"last_rev\":2,"           \
	"\"created_at\":\"1970-01-01T00:00:01.000Z\",\"rev\":1,\"slow_mode_s\":0,\"role\":null}"

static struct member member = {
	.conversation_id = TALK,
	.user_id = ADA,
	.username = "ada",
	.display_name = "Ada",
	.role = "member",
	.rev = 1,
	.user_rev = 4,
	.joined_at_ms = 1000,
};

static struct message message = {
	.id = WORD,
	.conversation_id = TALK,
	.seq = 1,
	.rev = 2,
	.sender_id = ADA,
	.content = "hi",
	.timestamp_ms = 2000,
};

static struct conversation conversation = {
	.id = TALK,
	.kind = "direct",
	.rev = 1,
	.last_seq = 1,
	.last_rev = 2,
	.created_at_ms = 1000,
	.members = &member,
	.n_members = 1,
	.member_count = 1,
	.last_message = &message,
};

static void
assert_json(json_t *json, const char *expected)
{
	char *text = json_to_text(json, NULL);

	assert_string_equal(text, expected);
	free(text);
}

static void
conversations_are_shown(void **state)
{
	struct conversation empty = {.id = TALK, .kind = "group", .title = "Tea", .created_at_ms = 1000};

	(void)state;
	assert_json(conversation_to_json(&conversation), CONVERSATION_JSON);
	assert_json(conversation_to_json(&empty),
		    "{\"id\":\"" TALK "\",\"kind\":\"group\",\"title\":\"Tea\",\"members\":[],\"member_count\":0,"
		    "\"last_message\":null,\"unread_count\":0,\"read_seq\":0,\"last_seq\":0,\"last_rev\":0,"
		    "\"created_at\":\"1970-01-01T00:00:01.000Z\",\"rev\":0,\"slow_mode_s\":0,\"role\":null}");
}

static void
who_left_has_a_time(void **state)
{
	struct member gone = member;

	(void)state;
	gone.left_at_ms = 3000;
	gone.shows_cursors = true;
	gone.read_seq = 4;
	gone.delivered_seq = 5;
	assert_json(member_to_json(&gone),
		    "{\"user_id\":\"" ADA "\",\"username\":\"ada\",\"display_name\":\"Ada\","
		    "\"role\":\"member\",\"rev\":1,\"joined_at\":\"1970-01-01T00:00:01.000Z\","
		    "\"left_at\":\"1970-01-01T00:00:03.000Z\",\"read_seq\":4,\"delivered_seq\":5}");
}

static void
pages_are_shown(void **state)
{
	struct message_page page = {.items = &message,
				    .n_items = 1,
				    .has_more_before = true,
				    .last_seq = 1,
				    .last_rev = 2};

	(void)state;
	assert_json(message_page_to_json(&page), "{\"items\":[" MESSAGE_JSON "],\"has_more_before\":true,"
						 "\"has_more_after\":false,\"last_seq\":1,\"last_rev\":2}");
}

static void
changes_are_shown(void **state)
{
	struct changes none = {.after_rev = 2, .next_after_rev = 2, .last_rev = 2};
	struct changes all = {
		.messages = &message,
		.n_messages = 1,
		.members = &member,
		.n_members = 1,
		.conversation = &conversation,
		.next_after_rev = 2,
		.last_rev = 5,
		.has_more = true,
		.snapshot = true,
	};

	(void)state;
	assert_json(changes_to_json(&none),
		    "{\"messages\":[],\"members\":[],\"conversation\":null,\"next_after_rev\":2,"
		    "\"last_rev\":2,\"has_more\":false}");
	assert_json(changes_to_json(&all),
		    "{\"messages\":[" MESSAGE_JSON "],\"members\":[" MEMBER_JSON "],\"conversation\":" CONVERSATION_JSON
		    ",\"next_after_rev\":2,\"last_rev\":5,\"has_more\":true,"
		    "\"snapshot\":true}");
}

static void
memberships_are_shown(void **state)
{
	struct membership memberships[] = {
		{.conversation_id = TALK,
		 .role = "admin",
		 .user_rev = 4,
		 .member_rev = 1,
		 .read_seq = 7,
		 .head = 9,
		 .muted_until_ms = 1769903999123},
		{.conversation_id = WORD, .role = "member", .user_rev = 5, .member_rev = 3, .left = true, .head = 3},
	};
	struct block block = {.user_id = WORD, .blocked = true, .user_rev = 5};
	struct person_changes changes = {.memberships = memberships,
					 .n_memberships = 2,
					 .blocks = &block,
					 .n_blocks = 1,
					 .next_after_rev = 5,
					 .last_rev = 5};
	struct head head = {.conversation_id = TALK, .last_seq = 8, .last_rev = 9, .member_rev = 1};

	(void)state;
	assert_json(
		person_changes_to_json(&changes),
		"{\"memberships\":[{\"conversation_id\":\"" TALK "\",\"member\":true,\"rev\":1,\"me\":4,\"read_seq\":7,"
		"\"last_rev\":9,\"role\":\"admin\",\"muted_until\":\"2026-01-31T23:59:59.123Z\"},{\"conversation_id\":\"" WORD
		"\",\"member\":false,\"rev\":3,\"me\":5,\"read_seq\":0,"
		"\"last_rev\":3,\"role\":\"member\",\"muted_until\":null}],\"blocks\":[{\"user_id\":\"" WORD
		"\",\"blocked\":true,\"me\":5}],\"rejections\":[],\"next_after_rev\":5,\"last_rev\":5,\"has_more\":false}");
	assert_json(head_to_json(&head), "{\"conversation_id\":\"" TALK "\",\"last_seq\":8,\"last_rev\":9}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations_are_shown), cmocka_unit_test(who_left_has_a_time),
		cmocka_unit_test(pages_are_shown),         cmocka_unit_test(changes_are_shown),
		cmocka_unit_test(memberships_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
