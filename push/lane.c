/* Lists of waiting frames. A gap marker is an item without a frame; its JSON is made when it leaves, so that it tells
 * the newest revision. */
#include "lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "metrics.h"
#include "model/event.h"

struct lane_item {
	struct lane_item *prev, *next;
	struct frame *frame; /* NULL: a gap marker */
	int64_t rev;
	char key[]; /* in durable the stream's channel, in ephemeral the key; "" in control */
};

static struct lane_item *
append(struct lane *lane, struct frame *frame, const char *key, int64_t rev)
{
	size_t key_size = strlen(key) + 1;
	struct lane_item *item = calloc(1, sizeof *item + key_size);

	if (item == NULL)
		abort();
	memcpy(item->key, key, key_size);
	item->rev = rev;
	if (frame != NULL) {
		item->frame = frame_ref(frame);
		lane->bytes += frame->len;
	}
	DL_APPEND(lane->items, item);
	lane->n_items++;
	return item;
}

static void
drop(struct lane *lane, struct lane_item *item)
{
	DL_DELETE(lane->items, item);
	lane->n_items--;
	if (item->frame != NULL)
		lane->bytes -= item->frame->len;
	frame_unref(item->frame);
	free(item);
}

static void
drop_all(struct lane *lane)
{
	while (lane->items != NULL)
		drop(lane, lane->items);
}

void
lanes_finish(struct lanes *lanes)
{
	drop_all(&lanes->control);
	drop_all(&lanes->durable);
	drop_all(&lanes->ephemeral);
	lanes->n_markers = 0;
}

bool
lanes_are_empty(const struct lanes *lanes)
{
	return lanes->control.items == NULL && lanes->durable.items == NULL && lanes->ephemeral.items == NULL;
}

void
lanes_add_control(struct lanes *lanes, struct frame *frame)
{
	append(&lanes->control, frame, "", 0);
}

static struct lane_item *
find_marker(struct lanes *lanes, const char *channel)
{
	struct lane_item *item;

	if (lanes->n_markers == 0)
		return NULL;
	DL_FOREACH (lanes->durable.items, item) {
		if (item->frame == NULL && strcmp(item->key, channel) == 0)
			return item;
	}
	return NULL;
}

/* Drops the payloads of a stream and puts a marker at the end of the lane. */
static void
collapse(struct lanes *lanes, const char *channel, int64_t rev)
{
	struct lane_item *item, *next;

	DL_FOREACH_SAFE (lanes->durable.items, item, next) {
		if (item->frame == NULL || strcmp(item->key, channel) != 0)
			continue;
		if (item->rev > rev)
			rev = item->rev;
		drop(&lanes->durable, item);
	}
	append(&lanes->durable, NULL, channel, rev);
	lanes->n_markers++;
}

static const struct lane_item *
find_oldest_payload(const struct lane *lane)
{
	const struct lane_item *item;

	DL_FOREACH (lane->items, item) {
		if (item->frame != NULL)
			break;
	}
	return item;
}

/* Collapses the stream of the oldest payload, until `len` more bytes fit. */
static void
make_room(struct lanes *lanes, size_t len)
{
	const struct lane_item *oldest;
	char channel[EVENT_CHANNEL_SIZE];

	while (lanes->durable.bytes + len > LANE_DURABLE_MAX &&
	       (oldest = find_oldest_payload(&lanes->durable)) != NULL) {
		snprintf(channel, sizeof channel, "%s", oldest->key);
		collapse(lanes, channel, oldest->rev);
	}
}

void
lanes_add_durable(struct lanes *lanes, struct frame *frame, const char *channel, int64_t rev)
{
	struct lane_item *marker = find_marker(lanes, channel);

	if (marker == NULL && lanes->durable.bytes + frame->len > LANE_DURABLE_MAX) {
		make_room(lanes, frame->len);
		marker = find_marker(lanes, channel);
	}
	if (marker == NULL) {
		append(&lanes->durable, frame, channel, rev);
	} else if (rev > marker->rev) {
		marker->rev = rev;
	}
}

void
lanes_add_ephemeral(struct lanes *lanes, struct frame *frame, const char *key)
{
	struct lane *lane = &lanes->ephemeral;
	struct lane_item *item;

	DL_FOREACH (lane->items, item) {
		if (strcmp(item->key, key) == 0)
			break;
	}
	if (item != NULL)
		drop(lane, item);
	else if (lane->n_items >= LANE_EPHEMERAL_MAX)
		drop(lane, lane->items);
	append(lane, frame, key, 0);
}

static json_t *
marker_to_json(const struct lane_item *marker)
{
	json_t *json = json_pack("{s:s}", "type", "gap");

	if (strncmp(marker->key, "c:", 2) == 0)
		json_object_set_new(json, "conversation_id", json_string(marker->key + 2));
	json_object_set_new(json, "known_rev", json_null());
	json_object_set_new(json, "last_rev", json_integer(marker->rev));
	json_object_set_new(json, "pull_after_ms", json_integer(random() % LANE_SPREAD_MS));
	return json;
}

/* The frame of the oldest item, with the item's reference. */
static struct frame *
take_one(struct lanes *lanes, struct lane *lane)
{
	struct lane_item *item = lane->items;
	struct frame *frame;

	if (item->frame == NULL) {
		lanes->n_markers--;
		metrics_add(METRIC_GAPS, 1);
		frame = frame_from_json(marker_to_json(item));
	} else {
		frame = frame_ref(item->frame);
	}
	drop(lane, item);
	return frame;
}

static size_t
len_of(const struct lane_item *item)
{
	enum { MARKER_LEN = 160 };

	return item->frame == NULL ? MARKER_LEN : item->frame->len;
}

static struct lane *
first_filled(struct lanes *lanes)
{
	if (lanes->control.items != NULL)
		return &lanes->control;
	return lanes->durable.items != NULL ? &lanes->durable : &lanes->ephemeral;
}

struct frame *
lanes_take(struct lanes *lanes)
{
	struct lane *lane = first_filled(lanes);
	char joined[LANE_JOINED_MAX];
	struct frame *frame;
	size_t len;

	if (lane->items == NULL)
		return NULL;
	frame = take_one(lanes, lane);
	if (lane->items == NULL || frame->len + 1 + len_of(lane->items) > sizeof joined)
		return frame;
	memcpy(joined, frame->bytes, frame->len);
	len = frame->len;
	frame_unref(frame);
	while (lane->items != NULL && len + 1 + len_of(lane->items) <= sizeof joined) {
		frame = take_one(lanes, lane);
		joined[len++] = '\n';
		memcpy(joined + len, frame->bytes, frame->len);
		len += frame->len;
		frame_unref(frame);
	}
	return frame_create(joined, len);
}
