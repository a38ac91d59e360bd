/* model/event: what the writer says on the bus is what push reads, and nothing else is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "model/event.h"

#define ADA "01890000-0000-7000-8000-00000000000a"
#define BOB "01890000-0000-7000-8000-00000000000b"
#define TALK "01890000-0000-7000-8000-00000000000c"
#define WORD "01890000-0000-7000-8000-00000000000d"

static const struct member members[] = {
	{.conversation_id = TALK, .user_id = ADA, .username = "ada", .display_name = "Ada", .role = "member", .rev = 1},
	{.conversation_id = TALK, .user_id = BOB, .username = "bob", .display_name = "Bob", .role = "member", .rev = 1},
};

/* Encodes, decodes, and compares all that push uses. */
static void
assert_round_trip(struct arena *arena, const struct event *event, const char *expected_header)
{
	char epoch[EVENT_EPOCH_SIZE];
	struct event read;
	size_t len, header_len = strlen(expected_header);
	char *record = event_encode(arena, "epoch.1", event, &len);

	assert_true(len > header_len);
	assert_memory_equal(record, expected_header, header_len);
	assert_int_equal(event_decode(event->channel, record, len, epoch, &read), OK);
	assert_string_equal(epoch, "epoch.1");
	assert_string_equal(read.channel, event->channel);
	assert_int_equal(read.rev, event->rev);
	assert_string_equal(read.kind, event->kind);
	assert_string_equal(read.subject_id, event->subject_id);
	assert_string_equal(read.conversation_id, event->conversation_id);
	assert_int_equal(read.member_rev, event->member_rev);
	assert_ptr_equal(read.json, record + header_len);
	assert_int_equal(read.json_len, event->json_len);
	assert_memory_equal(read.json, event->json, event->json_len);
}

/* The JSON's numbers and type as clients see them. */
static void
assert_json_has(const struct event *event, const char *key, int64_t number)
{
	json_t *json CLEANUP_JSON = json_loadb(event->json, event->json_len, 0, NULL);

	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "type")), event->kind);
	assert_int_equal(json_integer_value(json_object_get(json, key)), number);
	assert_null(json_object_get(json, strcmp(key, "rev") == 0 ? "me" : "rev"));
}

static void
events_survive_the_bus(void **state)
{
	struct message message =
		{.id = WORD, .conversation_id = TALK, .seq = 1, .rev = 2, .sender_id = ADA, .content = "a\nb"};
	struct conversation conversation = {.id = TALK,
					    .kind = "direct",
					    .last_rev = 2,
					    .member_rev = 1,
					    .member_user_rev = 7};
	struct membership membership = {.conversation_id = TALK, .user_rev = 9, .member_rev = 1, .read_seq = 4};
	struct arena arena = {0};
	struct event event;

	(void)state;
	event_message_created(&arena, &message, &event);
	assert_string_equal(event.channel, "c:" TALK);
	assert_round_trip(&arena, &event, "epoch.1 2 message.created - - 0\n");
	assert_json_has(&event, "rev", 2);

	event_member_joined(&arena, TALK, 1, members, 2, &event);
	assert_round_trip(&arena, &event, "epoch.1 1 member.joined - - 0\n");
	assert_json_has(&event, "rev", 1);
	event_member_joined(&arena, TALK, 1, members + 1, 1, &event);
	assert_round_trip(&arena, &event, "epoch.1 1 member.joined " BOB " - 0\n");

	event_conversation_created(&arena, ADA, 7, &conversation, &event);
	assert_string_equal(event.channel, "u:" ADA);
	assert_round_trip(&arena, &event, "epoch.1 7 conversation.created - " TALK " 1\n");
	assert_json_has(&event, "me", 7);

	event_read_updated(&arena, ADA, 9, &membership, &event);
	assert_string_equal(event.channel, "u:" ADA);
	assert_round_trip(&arena, &event, "epoch.1 9 read.updated - " TALK " 1\n");
	assert_json_has(&event, "me", 9);
	assert_json_has(&event, "seq", 4);

	event_session_revoked(&arena, ADA, 8, WORD, &event);
	assert_round_trip(&arena, &event, "epoch.1 8 session.revoked " WORD " - 0\n");
	assert_json_has(&event, "me", 8);
	arena_finish(&arena);
}

static void
what_passes_has_no_rev(void **state)
{
	struct membership membership = {.conversation_id = TALK, .read_seq = 4, .delivered_seq = 6};
	struct arena arena = {0};
	struct event event;

	(void)state;
	event_typing_started(&arena, TALK, ADA, &event);
	assert_string_equal(event.channel, "c:" TALK);
	assert_round_trip(&arena, &event, "epoch.1 0 typing.started " ADA " - 0\n");
	event_cursor_moved(&arena, EVENT_CURSOR_READ, BOB, &membership, &event);
	assert_round_trip(&arena, &event, "epoch.1 0 read.updated " BOB " - 0\n");
	assert_json_has(&event, "seq", 4);
	event_cursor_moved(&arena, EVENT_CURSOR_DELIVERED, BOB, &membership, &event);
	assert_round_trip(&arena, &event, "epoch.1 0 delivered.updated " BOB " - 0\n");
	assert_json_has(&event, "seq", 6);
	arena_finish(&arena);
}

/* The JSON of what is told of a change, to the byte: push forwards it unopened. */
static void
assert_json_is(const struct event *event, const char *expected)
{
	assert_int_equal(event->json_len, strlen(expected));
	assert_memory_equal(event->json, expected, event->json_len);
}

#define THUMB "\xf0\x9f\x91\x8d"
#define CUP "\xe2\x98\x95"
#define HEAD_OF(kind) "{\"type\":\"" kind "\",\"conversation_id\":\"" TALK "\","
#define REACTIONS                                                                                                      \
	"[{\"emoji\":\"" THUMB "\",\"count\":2,\"user_ids\":[\"" ADA "\",\"" BOB "\"]},"                               \
	"{\"emoji\":\"" CUP "\",\"count\":21,\"user_ids\":[\"" ADA "\"]}]"
#define MESSAGE_UNTIL_CONTENT                                                                                          \
	"\"rev\":9,\"message\":{\"id\":\"" WORD "\",\"conversation_id\":\"" TALK "\",\"seq\":3,\"rev\":9,"             \
	"\"sender_id\":\"" ADA "\",\"recipient_id\":\"" BOB "\",\"content\":"
#define TIMES "\"timestamp\":\"2025-10-09T08:53:20.123Z\",\"edited_at\":\"2025-10-09T08:53:21.000Z\","

static void
changes_of_a_message_are_told_as_they_are_now(void **state)
{
	static char who[2][ID_SIZE] = {ADA, BOB};
	struct reaction reactions[] = {{.emoji = THUMB, .count = 2, .user_ids = who, .n_user_ids = 2},
				       {.emoji = CUP, .count = 21, .user_ids = who, .n_user_ids = 1}};
	struct message message = {.id = WORD,
				  .conversation_id = TALK,
				  .seq = 3,
				  .rev = 9,
				  .sender_id = ADA,
				  .recipient_id = BOB,
				  .content = "a \"word\"\n\xe2\x82\xac",
				  .timestamp_ms = 1760000000123,
				  .edited_at_ms = 1760000001000,
				  .reply_to_id = TALK,
				  .reactions = reactions,
				  .n_reactions = 2};
	struct arena arena = {0};
	struct event event;

	(void)state;
	event_message_updated(&arena, &message, &event);
	assert_string_equal(event.channel, "c:" TALK);
	assert_round_trip(&arena, &event, "epoch.1 9 message.updated - - 0\n");
	assert_json_is(&event, HEAD_OF("message.updated") MESSAGE_UNTIL_CONTENT
		       "\"a \\\"word\\\"\\n\xe2\x82\xac\"," TIMES "\"deleted\":false,\"reply_to_id\":\"" TALK
		       "\",\"reactions\":" REACTIONS "}}");

	event_reaction_updated(&arena, &message, &event);
	assert_string_equal(event.channel, "c:" TALK);
	assert_round_trip(&arena, &event, "epoch.1 9 reaction.updated - - 0\n");
	assert_json_is(&event, HEAD_OF("reaction.updated") "\"message_id\":\"" WORD "\",\"seq\":3,\"rev\":9,"
							   "\"reactions\":" REACTIONS "}");

	message.n_reactions = 0; /* the last one was taken back */
	event_reaction_updated(&arena, &message, &event);
	assert_json_is(&event, HEAD_OF("reaction.updated") "\"message_id\":\"" WORD "\",\"seq\":3,\"rev\":9,"
							   "\"reactions\":[]}");

	message.deleted_at_ms = 1760000002000;
	event_message_deleted(&arena, &message, &event);
	assert_string_equal(event.channel, "c:" TALK);
	assert_round_trip(&arena, &event, "epoch.1 9 message.deleted - - 0\n");
	assert_json_is(&event, HEAD_OF("message.deleted") MESSAGE_UNTIL_CONTENT
		       "null," TIMES "\"deleted\":true,\"reply_to_id\":\"" TALK "\",\"reactions\":[]}}");
	arena_finish(&arena);
}

static void
other_bytes_are_refused(void **state)
{
	static const struct {
		const char *channel, *bytes;
		enum status status;
	} cases[] = {
		{"c:" TALK, "e 1 k - - 0\n{}", OK},
		{"c:" TALK, "e 0 k " ADA " - 0\n{\"a\":1}", OK},
		{"u:" ADA, "e 1 k " WORD " " TALK " 9007199254740991\n{}", OK},
		{"c:" TALK, "", ERR_MALFORMED},
		{"c:" TALK, "e 1 k - - 0", ERR_MALFORMED},
		{"c:" TALK, "e 1 k - - 0\n", ERR_MALFORMED},
		{"c:" TALK, "e 1 k - - 0\n[]", ERR_MALFORMED},
		{"c:" TALK, "e 1 k - - 0\n{}\n{}", ERR_MALFORMED},
		{"c:" TALK, "e 1 k - -\n{}", ERR_MALFORMED},
		{"c:" TALK, "e 1 k - - 0 0\n{}", ERR_MALFORMED},
		{"c:" TALK, "e  1 k - - 0\n{}", ERR_MALFORMED},
		{"c:" TALK, " 1 k - - 0\n{}", ERR_MALFORMED},
		{"c:" TALK, "e -1 k - - 0\n{}", ERR_MALFORMED},
		{"c:" TALK, "e 01 k - - 0\n{}", ERR_MALFORMED},
		{"c:" TALK, "e 9007199254740992 k - - 0\n{}", ERR_MALFORMED},
		{"c:" TALK, "e 1 k x - 0\n{}", ERR_MALFORMED},
		{"c:" TALK, "e 1 k 01890000-0000-7000-8000-00000000000A - 0\n{}", ERR_MALFORMED},
		{"c:" TALK, "e 1 k - - x\n{}", ERR_MALFORMED},
		{"c:" TALK, "e 1 k - " TALK " 0\n{}", ERR_MALFORMED},
		{"c:" TALK, "e 1 k - - 1\n{}", ERR_MALFORMED},
		{"c:" TALK, "e\t 1 k - - 0\n{}", ERR_MALFORMED},
		{"c:" TALK, "e 1 kind.that.is.longer.than.any.we.have - - 0\n{}", ERR_MALFORMED},
		{"q:" TALK, "e 1 k - - 0\n{}", ERR_MALFORMED},
		{"c:", "e 1 k - - 0\n{}", ERR_MALFORMED},
		{"", "e 1 k - - 0\n{}", ERR_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char epoch[EVENT_EPOCH_SIZE] = "untouched";
		struct event event = {.rev = 77};
		size_t len = strlen(cases[i].bytes);
		char *copy = malloc(len ? len : 1); /* without a NUL: a read beyond the end is seen by ASan */

		memcpy(copy, cases[i].bytes, len);
		assert_int_equal(event_decode(cases[i].channel, copy, len, epoch, &event), cases[i].status);
		if (cases[i].status != OK) {
			assert_string_equal(epoch, "untouched");
			assert_int_equal(event.rev, 77);
		}
		free(copy);
	}
}

static void
sizes_are_bounded(void **state)
{
	static const char header[] = "e 1 k - - 0\n{\"a\":\"";
	size_t len = EVENT_RECORD_MAX;
	char *record = malloc(len + 1);
	char epoch[EVENT_EPOCH_SIZE];
	struct event event;

	(void)state;
	memset(record, 'x', len + 1);
	memcpy(record, header, strlen(header));
	memcpy(record + len - 2, "\"}", 2);
	assert_int_equal(event_decode("c:" TALK, record, len, epoch, &event), OK);
	memcpy(record + len - 1, "\"}", 2);
	assert_int_equal(event_decode("c:" TALK, record, len + 1, epoch, &event), ERR_MALFORMED);

	memset(record, 'x', EVENT_HEADER_MAX); /* an endless first line */
	assert_int_equal(event_decode("c:" TALK, record, len, epoch, &event), ERR_MALFORMED);
	memcpy(record, "e 1\0k - - 0\n", 12); /* NUL within it */
	assert_int_equal(event_decode("c:" TALK, record, len, epoch, &event), ERR_MALFORMED);
	free(record);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_survive_the_bus),
		cmocka_unit_test(what_passes_has_no_rev),
		cmocka_unit_test(changes_of_a_message_are_told_as_they_are_now),
		cmocka_unit_test(other_bytes_are_refused),
		cmocka_unit_test(sizes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
