/* An entry per log-in and conversation that moved a cursor in the last second; a flight is one write of it. A cursor that is
 * refused because there is no such place takes none of the others that were written with it along: they are tried again. */
#include "cursors.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "log.h"
#include "reply.h"

/* A frame that is not answered yet; in the list of its entry or its flight, and in its owner's. */
struct cursor_wait {
	struct cursor_owner *owner;
	struct cursor_wait **list;
	enum cursor_kind kind;
	int64_t seq;
	json_t *id; /* NULL: silent */
	struct cursor_wait *prev, *next;
	struct cursor_wait *owner_prev, *owner_next;
};

struct entry {
	char key[2 * ID_LEN]; /* conversation, log-in */
	UT_hash_handle hh;
	struct cursors *cursors;
	char conversation_id[ID_SIZE], user_id[ID_SIZE], session_id[ID_SIZE];
	int64_t read_seq, delivered_seq; /* to be written; 0: none */
	bool pending;
	struct cursor_wait *waits; /* for what is pending */
	size_t n_flights;
	struct wheel_entry pause; /* set: the last write was less than a second ago */
};

struct flight {
	struct loop_item item; /* posted by the writer's thread; first member */
	struct write_mark_read write;
	struct entry *entry;
	struct cursor_wait *waits;
};

struct cursors {
	struct loop *loop;
	struct writer *writer;
	struct wheel *wheel;
	struct entry *entries;
	bool stopping;
};

static void submit(struct entry *entry);

/* Waits. */

static void
free_wait(struct cursor_wait *wait)
{
	DL_DELETE(*wait->list, wait);
	DL_DELETE2(wait->owner->waits, wait, owner_prev, owner_next);
	wait->owner->n_waits--;
	json_decref(wait->id);
	free(wait);
}

void
cursors_forget(struct cursor_owner *owner)
{
	while (owner->waits)
		free_wait(owner->waits);
}

static void
append(struct cursor_wait **list, struct cursor_wait *wait)
{
	wait->list = list;
	DL_APPEND(*list, wait);
}

/* Of an owner's silent frames one is enough: a flood of them costs no memory. */
static bool
is_waiting_silently(const struct entry *entry, const struct cursor_owner *owner)
{
	const struct cursor_wait *wait;

	DL_FOREACH (entry->waits, wait) {
		if (wait->owner == owner && !wait->id)
			return true;
	}
	return false;
}

static void
add_wait(struct entry *entry, const struct cursor_move *move, struct cursor_owner *owner, json_t *id)
{
	struct cursor_wait *wait;

	if (!id && is_waiting_silently(entry, owner))
		return;
	wait = calloc(1, sizeof *wait);
	if (!wait)
		abort();
	wait->owner = owner;
	wait->kind = move->kind;
	wait->seq = move->seq;
	wait->id = json_incref(id);
	append(&entry->waits, wait);
	DL_APPEND2(owner->waits, wait, owner_prev, owner_next);
	owner->n_waits++;
}

/* Entries. */

static void
raise_to(struct entry *entry, enum cursor_kind kind, int64_t seq)
{
	int64_t *cursor = kind == CURSOR_READ ? &entry->read_seq : &entry->delivered_seq;

	if (seq > *cursor)
		*cursor = seq;
	entry->pending = true;
}

static void
free_entry(struct entry *entry)
{
	while (entry->waits)
		free_wait(entry->waits); /* NOLINT(clang-analyzer-unix.Malloc): the first is another one by now */
	wheel_cancel(entry->cursors->wheel, &entry->pause);
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc,clang-analyzer-core.NullDereference): it cannot follow the macro's links */
	HASH_DEL(entry->cursors->entries, entry);
	free(entry);
}

/* What is due goes; what has nothing more to do is forgotten. */
static void
go_on(struct entry *entry)
{
	bool stopping = entry->cursors->stopping;

	if (wheel_is_set(&entry->pause) || entry->n_flights > 0)
		return;
	if (entry->pending && !stopping)
		submit(entry);
	else
		free_entry(entry);
}

static void
on_pause_over(struct wheel_entry *pause)
{
	go_on((struct entry *)((char *)pause - offsetof(struct entry, pause)));
}

static struct entry *
find_or_make(struct cursors *cursors, const struct cursor_move *move)
{
	struct entry *entry;
	char key[2 * ID_LEN] = {0};

	memcpy(key, move->conversation_id, ID_LEN);
	memcpy(key + ID_LEN, move->session_id, ID_LEN);
	HASH_FIND(hh, cursors->entries, key, sizeof key, entry);
	if (entry)
		return entry;
	entry = calloc(1, sizeof *entry);
	if (!entry)
		abort();
	memcpy(entry->key, key, sizeof key);
	memcpy(entry->conversation_id, move->conversation_id, ID_SIZE);
	memcpy(entry->user_id, move->user_id, ID_SIZE);
	memcpy(entry->session_id, move->session_id, ID_SIZE);
	entry->cursors = cursors;
	entry->pause.due = on_pause_over;
	HASH_ADD(hh, cursors->entries, key, sizeof entry->key, entry);
	return entry;
}

/* Answers. */

static json_t *
make_reply(const struct cursor_wait *wait, const struct write_mark_read *write)
{
	const struct membership *membership = &write->membership;
	json_t *reply;

	if (write->op.status != OK) {
		struct fault fault = write->op.fault;

		fault.status = write->op.status;
		return reply_error(wait->id, &fault, 0);
	}
	reply = reply_ok(wait->id);
	if (wait->kind == CURSOR_READ) {
		json_object_set_new(reply, "me", json_integer(membership->user_rev));
		json_object_set_new(reply, "read_seq", json_integer(membership->read_seq));
	} else {
		json_object_set_new(reply, "delivered_seq", json_integer(membership->delivered_seq));
	}
	return reply;
}

static bool
deserves_another_try(const struct cursor_wait *wait, const struct write_mark_read *write)
{
	return write->op.status == ERR_INVALID && wait->seq <= write->membership.last_seq;
}

static void
answer(struct cursor_wait *wait, const struct write_mark_read *write)
{
	struct cursor_owner *owner = wait->owner;
	json_t *reply = wait->id ? make_reply(wait, write) : NULL;

	free_wait(wait);
	owner->reply(owner->context, reply);
	if (write->op.status == ERR_UNAUTHORIZED)
		owner->ended(owner->context);
}

static void
on_posted(struct loop_item *item)
{
	struct flight *flight = (struct flight *)item;
	struct entry *entry = flight->entry;
	struct cursor_wait *wait;

	if (flight->write.op.status == ERR_INTERNAL)
		log_error("cursor_failed", LOG_S("detail", flight->write.op.fault.detail));
	while ((wait = flight->waits) != NULL) { /* an answer may close a socket, and take waits of it away */
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc,clang-analyzer-core.NullDereference): it cannot follow the macro's links */
		if (deserves_another_try(wait, &flight->write)) {
			DL_DELETE(flight->waits, wait);
			append(&entry->waits, wait);
			raise_to(entry, wait->kind, wait->seq);
		} else {
			answer(wait, &flight->write);
		}
	}
	entry->n_flights--;
	arena_finish(&flight->write.op.arena);
	free(flight);
	go_on(entry);
}

/* On the writer's thread. */
static void
on_written(struct write_op *op)
{
	struct flight *flight = op->context;

	loop_post(flight->entry->cursors->loop, &flight->item);
}

static void
submit(struct entry *entry)
{
	struct flight *flight = calloc(1, sizeof *flight);
	struct cursor_wait *wait;

	if (!flight)
		abort();
	flight->item.run = on_posted;
	flight->entry = entry;
	flight->write = (struct write_mark_read){.seq = entry->read_seq, .delivered_seq = entry->delivered_seq};
	memcpy(flight->write.conversation_id, entry->conversation_id, ID_SIZE);
	memcpy(flight->write.user_id, entry->user_id, ID_SIZE);
	memcpy(flight->write.session_id, entry->session_id, ID_SIZE);
	flight->write.op = (struct write_op){
		.kind = WRITE_MARK_READ,
		.conversation_id = flight->write.conversation_id,
		.done = on_written,
		.context = flight,
	};
	while ((wait = entry->waits) != NULL) {
		DL_DELETE(entry->waits, wait);
		append(&flight->waits, wait);
	}
	entry->read_seq = entry->delivered_seq = 0;
	entry->pending = false;
	entry->n_flights++;
	wheel_set(entry->cursors->wheel, &entry->pause, CURSORS_EVERY_MS);
	if (writer_submit(entry->cursors->writer, &flight->write.op) != OK)
		on_posted(&flight->item);
}

void
cursors_move(struct cursors *cursors, const struct cursor_move *move, struct cursor_owner *owner, json_t *id)
{
	struct entry *entry;

	if (cursors->stopping)
		return;
	entry = find_or_make(cursors, move);
	add_wait(entry, move, owner, id);
	raise_to(entry, move->kind, move->seq);
	go_on(entry);
}

/* The life of it. */

struct cursors *
cursors_create(struct loop *loop, struct writer *writer, struct wheel *wheel)
{
	struct cursors *cursors = calloc(1, sizeof *cursors);

	if (!cursors)
		abort();
	cursors->loop = loop;
	cursors->writer = writer;
	cursors->wheel = wheel;
	return cursors;
}

void
cursors_flush(struct cursors *cursors)
{
	struct entry *entry, *next;

	cursors->stopping = true;
	HASH_ITER (hh, cursors->entries, entry, next) {
		if (entry->pending)
			submit(entry);
		wheel_cancel(cursors->wheel, &entry->pause);
		go_on(entry);
	}
}

void
cursors_destroy(struct cursors *cursors)
{
	struct entry *entry, *next;

	if (!cursors)
		return;
	HASH_ITER (hh, cursors->entries, entry, next) {
		free_entry(entry);
	}
	free(cursors);
}
