/* Building deliveries and the hub's own frames. */
#include "delivery.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct delivery *
delivery_create(enum delivery_kind kind, int64_t after_rev, int64_t rev)
{
	struct delivery *delivery = calloc(1, sizeof *delivery);

	if (!delivery)
		abort();
	delivery->references = 1;
	delivery->kind = kind;
	delivery->after_rev = after_rev;
	delivery->rev = rev;
	return delivery;
}

static void *
grow(void *items, size_t n, size_t item_size)
{
	void *larger = reallocarray(items, n + 1, item_size);

	if (!larger)
		abort();
	return larger;
}

static void
add_member(struct delivery *delivery, const char *id, int64_t member_rev, bool left)
{
	struct delivery_member *member;

	delivery->members = grow(delivery->members, delivery->n_members, sizeof *delivery->members);
	member = &delivery->members[delivery->n_members++];
	memcpy(member->id, id, ID_SIZE);
	member->member_rev = member_rev;
	member->left = left;
}

static void
add_ended(struct delivery *delivery, const char *session_id)
{
	delivery->ended = grow(delivery->ended, delivery->n_ended, sizeof *delivery->ended);
	memcpy(delivery->ended[delivery->n_ended++], session_id, ID_SIZE);
}

struct delivery *
delivery_from_event(const struct event *event)
{
	const char *kind = event->kind;
	bool of_person = event->channel[0] == 'u';
	bool left = strcmp(kind, "member.left") == 0 || strcmp(kind, "conversation.removed") == 0;
	bool joined = strcmp(kind, "member.joined") == 0 || strcmp(kind, "conversation.created") == 0;
	const char *id = of_person ? event->conversation_id : event->subject_id;
	struct delivery *delivery = delivery_create(DELIVERY_EVENT, event->rev - 1, event->rev);

	delivery->deleted = strcmp(kind, "conversation.deleted") == 0;
	if ((left || joined) && id[0])
		add_member(delivery, id, of_person ? event->member_rev : event->rev, left);
	if (of_person && strcmp(kind, "session.revoked") == 0)
		add_ended(delivery, event->subject_id);
	delivery->frame = frame_create(event->json, event->json_len);
	return delivery;
}

static json_t *
changes_frame_json(json_t *body, const char *conversation_id, int64_t after_rev)
{
	json_object_set_new(body, "type", json_string("changes"));
	if (conversation_id)
		json_object_set_new(body, "conversation_id", json_string(conversation_id));
	json_object_set_new(body, "after_rev", json_integer(after_rev));
	return body;
}

struct delivery *
delivery_begin_repair(int64_t after_rev)
{
	return delivery_create(DELIVERY_CHANGES, after_rev, after_rev);
}

/* The page's frame, when it is all there is: `json` is taken. Of several pages none is kept. */
static void
add_page(struct delivery *delivery, json_t *json, int64_t page_after_rev, int64_t next_after_rev, bool has_more)
{
	if (page_after_rev == delivery->after_rev && !has_more)
		delivery->frame = frame_from_json(json);
	else
		json_decref(json);
	delivery->rev = next_after_rev;
}

void
delivery_add_changes(struct delivery *delivery, const char *conversation_id, const struct changes *page)
{
	json_t *json = changes_frame_json(changes_to_json(page), conversation_id, page->after_rev);

	delivery->deleted = delivery->deleted || (page->conversation && page->conversation->deleted_at_ms);
	for (size_t i = 0; i < page->n_members; i++) {
		const struct member *member = &page->members[i];

		add_member(delivery, member->user_id, member->rev, member->left_at_ms != 0);
	}
	add_page(delivery, json, page->after_rev, page->next_after_rev, page->has_more);
}

void
delivery_add_person_changes(struct delivery *delivery, const struct person_changes *page)
{
	json_t *json = changes_frame_json(person_changes_to_json(page), NULL, page->after_rev);

	for (size_t i = 0; i < page->n_memberships; i++) {
		const struct membership *membership = &page->memberships[i];

		add_member(delivery, membership->conversation_id, membership->member_rev, membership->left);
	}
	for (size_t i = 0; i < page->n_revoked_sessions; i++)
		add_ended(delivery, page->revoked_session_ids[i]);
	add_page(delivery, json, page->after_rev, page->next_after_rev, page->has_more);
}

void
delivery_finish_repair(struct delivery *delivery, size_t max_bytes)
{
	if (delivery->frame && delivery->frame->len <= max_bytes)
		return;
	frame_unref(delivery->frame);
	delivery->frame = NULL;
	delivery->kind = DELIVERY_GAP;
}

struct delivery *
delivery_ref(struct delivery *delivery)
{
	delivery->references++;
	return delivery;
}

void
delivery_unref(struct delivery *delivery)
{
	if (!delivery)
		return;
	assert(delivery->references > 0);
	if (--delivery->references > 0)
		return;
	frame_unref(delivery->frame);
	free(delivery->members);
	free(delivery->ended);
	free(delivery);
}

struct frame *
frame_gap(const char *conversation_id, int64_t known_rev, int64_t last_rev, int64_t pull_after_ms, bool reset)
{
	json_t *json = json_object();

	json_object_set_new(json, "type", json_string("gap"));
	if (conversation_id)
		json_object_set_new(json, "conversation_id", json_string(conversation_id));
	json_object_set_new(json, "known_rev", known_rev == GAP_KNOWN_NOTHING ? json_null() : json_integer(known_rev));
	json_object_set_new(json, "last_rev", json_integer(last_rev));
	json_object_set_new(json, "pull_after_ms", json_integer(pull_after_ms));
	if (reset)
		json_object_set_new(json, "reset", json_true());
	return frame_from_json(json);
}

struct frame *
frame_removed(const char *conversation_id, int64_t rev)
{
	json_t *json = json_object();

	json_object_set_new(json, "type", json_string("conversation.removed"));
	json_object_set_new(json, "conversation_id", json_string(conversation_id));
	json_object_set_new(json, "rev", json_integer(rev));
	return frame_from_json(json);
}

struct frame *
frame_mode(const char *mode, const char *reason)
{
	json_t *json = json_object();

	json_object_set_new(json, "type", json_string("mode"));
	json_object_set_new(json, "mode", json_string(mode));
	json_object_set_new(json, "reason", json_string(reason));
	return frame_from_json(json);
}

struct frame *
frame_snapshot(const char *conversation_id, const struct changes *changes)
{
	json_t *json = changes_frame_json(changes_to_json(changes), conversation_id, 0);

	json_object_set_new(json, "snapshot", json_true());
	return frame_from_json(json);
}
