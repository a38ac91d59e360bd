/* Records of the bus: the first line of the input is the channel, the rest the record. What event_decode accepts is byte for
 * byte what event_encode writes, and what it refuses leaves nothing behind. */
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "fuzz.h"
#include "json.h"
#include "model/event.h"

#define ROOM "0190a5e2-0000-7000-8000-00000000000a"
#define ANN "0190a5e2-0000-7000-8000-00000000000b"

static void
check_record(struct arena *arena, const char *channel, const char *bytes, size_t len)
{
	struct event event, before;
	char epoch[EVENT_EPOCH_SIZE] = "untouched";
	size_t again_len;

	memset(&event, 0x55, sizeof event);
	before = event;
	if (event_decode(channel, bytes, len, epoch, &event) != OK) {
		CHECK(memcmp(&event, &before, sizeof event) == 0 && strcmp(epoch, "untouched") == 0, "%s", channel);
		return;
	}
	CHECK(strcmp(event.channel, channel) == 0, "%s", channel);
	CHECK(event.rev >= 0 && event.member_rev >= 0, "%s", channel);
	CHECK(event.json >= bytes && event.json + event.json_len == bytes + len, "%s", channel);

	char *again = event_encode(arena, epoch, &event, &again_len);
	CHECK(again_len == len && memcmp(again, bytes, len) == 0, "%s %s", channel, event.kind);
}

/* What is said in a message does not disturb the record that carries it. */
static void
check_content(struct arena *arena, const char *content, size_t len)
{
	struct message message = {.id = ROOM, .conversation_id = ROOM, .sender_id = ANN, .seq = 7, .rev = 9};
	struct event made, read;
	char epoch[EVENT_EPOCH_SIZE];
	size_t record_len;

	if (len > MESSAGE_BYTES_MAX || !text_is_utf8(content, len))
		return;
	message.content = content;
	event_message_created(arena, &message, &made);

	char *record = event_encode(arena, "e1", &made, &record_len);
	CHECK(event_decode(made.channel, record, record_len, epoch, &read) == OK, "%s", record);
	CHECK(read.rev == 9 && strcmp(epoch, "e1") == 0 && strcmp(read.kind, made.kind) == 0, "%s", record);

	CLEANUP_JSON json_t *json = json_loadb(read.json, read.json_len, 0, NULL);
	const char *said = json_string_value(json_object_get(json_object_get(json, "message"), "content"));
	CHECK(said && strcmp(said, content) == 0, "%s", record);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size > 0 ? memchr(data, '\n', size) : NULL;
	size_t channel_len = newline ? (size_t)(newline - data) : size;
	const uint8_t *record = newline ? newline + 1 : data + size;
	struct arena arena = {0};

	check_record(&arena, arena_memdup(&arena, data, channel_len), (const char *)record,
		     (size_t)(data + size - record));
	check_content(&arena, arena_memdup(&arena, data, size), size);
	arena_finish(&arena);
	return 0;
}
