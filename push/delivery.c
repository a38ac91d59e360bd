/* Building deliveries and the hub's own frames. */
#include "delivery.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct delivery *
delivery_create(enum delivery_kind kind, size_t n_members)
{
	struct delivery *delivery = calloc(1, sizeof *delivery + n_members * sizeof delivery->members[0]);

	if (!delivery)
		abort();
	delivery->references = 1;
	delivery->kind = kind;
	delivery->n_members = n_members;
	return delivery;
}

static void
set_member(struct delivery_member *member, const char *id, int64_t member_rev, bool left)
{
	memcpy(member->id, id, ID_SIZE);
	member->member_rev = member_rev;
	member->left = left;
}

struct delivery *
delivery_from_event(const struct event *event)
{
	const char *kind = event->kind;
	bool of_person = event->channel[0] == 'u';
	bool left = strcmp(kind, "member.left") == 0 || strcmp(kind, "conversation.removed") == 0;
	bool joined = strcmp(kind, "member.joined") == 0 || strcmp(kind, "conversation.created") == 0;
	const char *id = of_person ? event->conversation_id : event->subject_id;
	struct delivery *delivery = delivery_create(DELIVERY_EVENT, (left || joined) && id[0] ? 1 : 0);

	delivery->rev = event->rev;
	delivery->after_rev = event->rev - 1;
	delivery->deleted = strcmp(kind, "conversation.deleted") == 0;
	if (delivery->n_members)
		set_member(&delivery->members[0], id, of_person ? event->member_rev : event->rev, left);
	if (of_person && strcmp(kind, "session.revoked") == 0)
		memcpy(delivery->session_id, event->subject_id, ID_SIZE);
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
delivery_from_changes(const char *conversation_id, const struct changes *changes)
{
	struct delivery *delivery = delivery_create(DELIVERY_CHANGES, changes->n_members);

	delivery->after_rev = changes->after_rev;
	delivery->rev = changes->next_after_rev;
	delivery->deleted = changes->conversation && changes->conversation->deleted_at_ms;
	for (size_t i = 0; i < changes->n_members; i++) {
		const struct member *member = &changes->members[i];

		set_member(&delivery->members[i], member->user_id, member->rev, member->left_at_ms != 0);
	}
	delivery->frame =
		frame_from_json(changes_frame_json(changes_to_json(changes), conversation_id, changes->after_rev));
	return delivery;
}

struct delivery *
delivery_from_person_changes(const struct person_changes *changes)
{
	struct delivery *delivery = delivery_create(DELIVERY_CHANGES, changes->n_memberships);

	delivery->after_rev = changes->after_rev;
	delivery->rev = changes->next_after_rev;
	for (size_t i = 0; i < changes->n_memberships; i++) {
		const struct membership *membership = &changes->memberships[i];

		set_member(&delivery->members[i], membership->conversation_id, membership->member_rev,
			   membership->left);
	}
	delivery->frame =
		frame_from_json(changes_frame_json(person_changes_to_json(changes), NULL, changes->after_rev));
	return delivery;
}

struct delivery *
delivery_to_gap(const struct delivery *delivery, const char *conversation_id, int64_t pull_after_ms)
{
	struct delivery *gap = delivery_create(DELIVERY_GAP, delivery->n_members);

	gap->after_rev = delivery->after_rev;
	gap->rev = delivery->rev;
	gap->deleted = delivery->deleted;
	memcpy(gap->members, delivery->members, delivery->n_members * sizeof delivery->members[0]);
	gap->frame = frame_gap(conversation_id, delivery->after_rev, delivery->rev, pull_after_ms, false);
	return gap;
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
