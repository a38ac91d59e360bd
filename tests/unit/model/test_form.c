/* model/form: what is kept over an upgrade has the form in its key, so the form changes whenever the JSON does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "json.h"
#include "model/changes.h"
#include "model/form.h"
#include "model/user.h"

/* A changed digest means changed JSON: give MODEL_FORM another number and write both here. */
#define FORM_AND_DIGEST "1 OVkpCmd_iwR7bhttfy2SvA"

static void
the_form_is_that_of_the_json(void **state)
{
	char ada[ID_SIZE] = "01890000-0000-7000-8000-00000000000a", digest[ID_DIGEST_SIZE], *texts[3], form[64];
	struct reaction reaction = {.emoji = "+1", .count = 1, .user_ids = &ada, .n_user_ids = 1};
	struct message messages[2] = {
		{.id = "1",
		 .conversation_id = "c",
		 .seq = 1,
		 .rev = 2,
		 .sender_id = "a",
		 .recipient_id = "b",
		 .content = "hi",
		 .timestamp_ms = 1,
		 .edited_at_ms = 2,
		 .reply_to_id = "0",
		 .reactions = &reaction,
		 .n_reactions = 1},
		{.id = "2",
		 .conversation_id = "c",
		 .seq = 2,
		 .rev = 3,
		 .sender_id = "a",
		 .timestamp_ms = 1,
		 .deleted_at_ms = 2},
	};
	struct message_page page = {messages, 2, true, false, 2, 3};
	struct member member = {.user_id = "a",
				.username = "ada",
				.display_name = "Ada",
				.role = "owner",
				.rev = 1,
				.joined_at_ms = 1,
				.left_at_ms = 2,
				.shows_cursors = true,
				.read_seq = 1};
	struct conversation conversation = {
		.id = "c",
		.kind = "group",
		.title = "t",
		.members = &member,
		.n_members = 1,
		.member_count = 1,
		.role = "owner",
		.last_message = messages,
		.muted_until_ms = 1,
	};
	struct user user = {.id = "a", .username = "ada", .display_name = "Ada", .role = "admin", .created_at_ms = 1};
	size_t len;

	(void)state;
	texts[0] = json_to_text(message_page_to_json(&page), &len);
	texts[1] = json_to_text(conversation_to_json(&conversation), &len);
	texts[2] = json_to_text(me_to_json(&user), &len); /* what others see begins it */
	id_digest((const char *const *)texts, 3, digest);
	snprintf(form, sizeof form, MODEL_FORM " %s", digest);
	assert_string_equal(form, FORM_AND_DIGEST);
	free(texts[0]);
	free(texts[1]);
	free(texts[2]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_form_is_that_of_the_json)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
