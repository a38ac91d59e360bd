/* The count of a large group: one process at a time by a lease, in pieces, and nothing published that is not known.
 *
 * Redis, the hub and the database are played by the functions below: commands wait until they are answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/presence_script.h"
#include "presence_count.h"
#include "store/connections.h"
#include "subscriber.h"

enum { ROOMS_MAX = 20, PENDING_MAX = 64, COUNT_MS = 4000, LOOK_MS = COUNT_MS / 4 };

static struct {
	int64_t now_ms;
	size_t n_rooms, n_members;
	struct {
		char id[ID_SIZE], holder[16];
		int64_t held_until_ms;
		int n_published;
	} rooms[ROOMS_MAX];
	enum status database;
	bool is_down;      /* commands are not taken */
	char somebody;     /* what each of them is */
	char stranger;     /* the last of them all */
	char record[1024]; /* the last one published */
	size_t pieces[8], n_pieces;
	struct {
		subscriber_done *done;
		void *context;
		const char *text;
		char answer[512];
	} pending[PENDING_MAX];
	size_t n_pending;
} world;

static struct hub *const some_hub = (struct hub *)&world;

struct subscriber *
hub_subscriber(const struct hub *hub)
{
	assert_ptr_equal(hub, some_hub);
	return (struct subscriber *)&world;
}

const char *
hub_epoch(const struct hub *hub)
{
	(void)hub;
	return "e1";
}

void
hub_each_large(const struct hub *hub, int64_t members,
	       void (*each)(void *context, const char *conversation_id, int64_t member_count), void *context)
{
	(void)hub;
	assert_int_equal(members, 250);
	for (size_t i = 0; i < world.n_rooms; i++)
		each(context, world.rooms[i].id, (int64_t)world.n_members);
}

void
storage_submit(struct storage *storage, struct storage_job *job)
{
	assert_null(storage);
	job->work(job, NULL);
	if (world.database != OK) /* in the midst of the rows */
		job->status = world.database;
	job->done(job);
}

enum status
connections_member_ids(struct db *db, struct arena *arena, const char *conversation_id, char (**ret_ids)[ID_SIZE],
		       size_t *ret_n)
{
	assert_null(db);
	assert_int_equal(strlen(conversation_id), ID_LEN);
	*ret_ids = arena_alloc(arena, (world.n_members + 1) * sizeof **ret_ids);
	*ret_n = world.n_members;
	for (size_t i = 0; i < world.n_members; i++)
		snprintf((*ret_ids)[i], ID_SIZE, "01890000-0000-7000-8000-%012u", (unsigned)i);
	return OK;
}

/* NULL for `text`: refused, or lost. */
static void
answer_later(subscriber_done *done, void *context, const char *text)
{
	assert_in_range(world.n_pending, 0, PENDING_MAX - 1);
	world.pending[world.n_pending].done = done;
	world.pending[world.n_pending].context = context;
	world.pending[world.n_pending].text = text;
	if (text) {
		snprintf(world.pending[world.n_pending].answer, sizeof world.pending[0].answer, "%s", text);
		world.pending[world.n_pending].text = world.pending[world.n_pending].answer;
	}
	world.n_pending++;
}

static size_t
room_of(const char *prefix, const char *name)
{
	size_t len = strlen(prefix);

	assert_memory_equal(name, prefix, len);
	for (size_t i = 0; i < world.n_rooms; i++)
		if (strcmp(world.rooms[i].id, name + len) == 0)
			return i;
	fail_msg("no room is named by %s", name);
	return 0;
}

bool
subscriber_command(struct subscriber *subscriber, const char *const *words, size_t n, subscriber_done *done,
		   void *context)
{
	(void)subscriber;
	if (world.is_down)
		return false;
	if (strcmp(words[0], "PUBLISH") == 0) {
		assert_int_equal(n, 3);
		world.rooms[room_of("c:", words[1])].n_published++;
		snprintf(world.record, sizeof world.record, "%s", words[2]);
		answer_later(done, context, "1");
		return true;
	}
	assert_int_equal(n, 6);
	assert_string_equal(words[0], "SET");
	assert_string_equal(words[3], "NX");
	assert_string_equal(words[4], "PX");
	size_t room = room_of("presence:count:", words[1]);
	bool is_free = world.rooms[room].held_until_ms <= world.now_ms;

	if (is_free) {
		snprintf(world.rooms[room].holder, sizeof world.rooms[room].holder, "%s", words[2]);
		world.rooms[room].held_until_ms = world.now_ms + atoll(words[5]);
	}
	answer_later(done, context, is_free ? "OK" : NULL);
	return true;
}

bool
subscriber_eval(struct subscriber *subscriber, struct subscriber_script *script, const char *const *arguments, size_t n,
		subscriber_done *done, void *context)
{
	char text[512];

	(void)subscriber;
	if (world.is_down)
		return false;
	assert_ptr_equal(script->text, presence_script_read);
	assert_in_range(n, 1, 500);
	assert_int_equal(strlen(arguments[n - 1]), ID_LEN);
	memset(text, world.somebody, n);
	text[n] = '\0';
	if (strtoul(arguments[n - 1] + 24, NULL, 10) + 1 == world.n_members)
		text[n - 1] = world.stranger;
	world.pieces[world.n_pieces++ % 8] = n;
	answer_later(done, context, text);
	return true;
}

/* Answers all that is asked, and what is asked thereupon. */
static void
answer_all(void)
{
	for (size_t i = 0; i < world.n_pending; i++)
		world.pending[i].done(world.pending[i].context, world.pending[i].text);
	world.n_pending = 0;
}

/* The connection is lost: each that waits is told so. */
static void
lose_all(void)
{
	world.is_down = true;
	for (size_t i = 0; i < world.n_pending; i++)
		world.pending[i].text = NULL;
	answer_all();
}

static void
tick_at(struct presence_count *count, int64_t now_ms)
{
	world.now_ms = now_ms;
	presence_count_tick(count, now_ms);
}

static struct presence_count *
make_node(const char *name)
{
	return presence_count_create(some_hub, NULL, name, COUNT_MS);
}

static void
make_rooms(size_t n_rooms, size_t n_members)
{
	world.n_rooms = n_rooms;
	world.n_members = n_members;
	for (size_t i = 0; i < n_rooms; i++)
		snprintf(world.rooms[i].id, ID_SIZE, "01890000-0000-7000-8001-%012u", (unsigned)i);
}

static int
set_up(void **state)
{
	memset(&world, 0, sizeof world);
	world.somebody = world.stranger = '+';
	make_rooms(1, 300);
	*state = make_node("a");
	return 0;
}

static int
tear_down(void **state)
{
	answer_all();
	presence_count_destroy(*state);
	return 0;
}

static void
the_number_is_published(void **state)
{
	world.stranger = '-';
	tick_at(*state, 0);
	answer_all();
	assert_int_equal(world.rooms[0].n_published, 1);
	assert_string_equal(world.rooms[0].holder, "a");
	assert_non_null(strstr(world.record, "e1 "));
	assert_non_null(strstr(world.record, "\"presence.count\""));
	assert_non_null(strstr(world.record, world.rooms[0].id));
	assert_non_null(strstr(world.record, "\"online\":299"));
	assert_non_null(strstr(world.record, "\"member_count\":300"));
}

/* As long as the holder lives it takes the lease again first or not at all: there is one count in its time either way. */
static void
one_of_two_counts(void **state)
{
	struct presence_count *other = make_node("b");

	for (int64_t now = 0; now < 3 * COUNT_MS; now += LOOK_MS) {
		tick_at(*state, now);
		tick_at(other, now);
		answer_all();
		assert_int_equal(world.rooms[0].n_published, now / COUNT_MS + 1);
		assert_string_equal(world.rooms[0].holder, "a");
	}
	presence_count_destroy(other);
}

static void
another_takes_over_when_the_lease_ends(void **state)
{
	struct presence_count *other = make_node("b");

	tick_at(*state, 0);
	answer_all();
	presence_count_destroy(*state); /* and nobody gives the lease back */
	*state = other;
	for (int64_t now = LOOK_MS / 2; now < COUNT_MS; now += LOOK_MS) {
		tick_at(other, now);
		answer_all();
		assert_int_equal(world.rooms[0].n_published, 1);
		assert_string_equal(world.rooms[0].holder, "a");
	}
	tick_at(other, COUNT_MS + LOOK_MS / 2);
	answer_all();
	assert_int_equal(world.rooms[0].n_published, 2);
	assert_string_equal(world.rooms[0].holder, "b");
}

/* It had the lease and died over the work: the number comes from the next one, a lease later. */
static void
a_count_that_was_broken_off_is_made_by_another(void **state)
{
	struct presence_count *other = make_node("b");

	tick_at(*state, 0);
	lose_all();
	assert_int_equal(world.rooms[0].n_published, 0);
	world.is_down = false;
	tick_at(other, COUNT_MS);
	answer_all();
	assert_int_equal(world.rooms[0].n_published, 1);
	assert_string_equal(world.rooms[0].holder, "b");
	presence_count_destroy(other);
}

static void
many_are_asked_for_in_pieces(void **state)
{
	static const size_t members[] = {1, 499, 500, 501, 1001};
	static const size_t pieces[] = {1, 1, 1, 2, 3};
	char wanted[32];

	for (size_t i = 0; i < 5; i++) {
		make_rooms(1, members[i]);
		world.n_pieces = 0;
		tick_at(*state, (int64_t)i * COUNT_MS);
		answer_all();
		assert_int_equal(world.n_pieces, pieces[i]);
		snprintf(wanted, sizeof wanted, "\"online\":%zu", members[i]);
		assert_non_null(strstr(world.record, wanted));
	}
	assert_int_equal(world.pieces[0], 500);
	assert_int_equal(world.pieces[2], 1);
}

static void
what_is_not_known_is_not_published(void **state)
{
	make_rooms(1, 700);
	world.stranger = '?'; /* Redis has been emptied: the nodes are writing */
	tick_at(*state, 0);
	answer_all();
	assert_int_equal(world.n_pieces, 2);
	assert_int_equal(world.rooms[0].n_published, 0);
	world.stranger = '-';
	tick_at(*state, COUNT_MS);
	world.pending[0].done(world.pending[0].context, "OK");
	world.pending[0] = world.pending[1];
	world.pending[0].text = NULL; /* refused, but the connection stays */
	world.n_pending = 1;
	answer_all();
	assert_int_equal(world.rooms[0].n_published, 0);
	tick_at(*state, 2 * COUNT_MS);
	answer_all();
	assert_int_equal(world.rooms[0].n_published, 1);
}

static void
what_cannot_be_read_is_not_published(void **state)
{
	world.database = ERR_UNAVAILABLE;
	tick_at(*state, 0);
	answer_all();
	world.database = OK;
	make_rooms(1, 0); /* all have left meanwhile */
	tick_at(*state, COUNT_MS);
	answer_all();
	make_rooms(1, 700);
	tick_at(*state, 2 * COUNT_MS);
	world.pending[0].done(world.pending[0].context, "OK"); /* the first piece is asked for */
	memmove(&world.pending[0], &world.pending[1], sizeof world.pending[0]);
	world.pending[0].text = world.pending[0].answer;
	world.n_pending = 1;
	world.is_down = true; /* the second is not */
	answer_all();
	assert_int_equal(world.rooms[0].n_published, 0);
}

/* Eight at a time, whichever come first; then those behind them, and nobody twice before all have had a turn. */
static void
all_groups_have_their_turn(void **state)
{
	make_rooms(ROOMS_MAX, 300);
	for (int i = 0; i < 3; i++) {
		tick_at(*state, i);
		assert_int_equal(world.n_pending, i < 2 ? 8 : ROOMS_MAX - 16);
		tick_at(*state, i); /* none ends: none begins */
		assert_in_range(world.n_pending, 4, 8);
		answer_all();
	}
	for (size_t i = 0; i < ROOMS_MAX; i++)
		assert_int_equal(world.rooms[i].n_published, 1);
	tick_at(*state, LOOK_MS + 1);
	assert_int_equal(world.n_pending, 0);
	tick_at(*state, LOOK_MS + 2);
	assert_int_equal(world.n_pending, 8);
}

static void
chains_that_were_lost_take_no_place(void **state)
{
	make_rooms(ROOMS_MAX, 300);
	tick_at(*state, 0);
	assert_int_equal(world.n_pending, 8);
	lose_all();
	world.is_down = false;
	for (int i = 1; i < 20; i++) { /* each has its turn again when its lease has ended */
		tick_at(*state, i * COUNT_MS);
		assert_in_range(world.n_pending, 1, 8);
		answer_all();
	}
	for (size_t i = 0; i < ROOMS_MAX; i++)
		assert_true(world.rooms[i].n_published > 0);
}

#define COUNT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		COUNT(the_number_is_published),
		COUNT(one_of_two_counts),
		COUNT(another_takes_over_when_the_lease_ends),
		COUNT(a_count_that_was_broken_off_is_made_by_another),
		COUNT(many_are_asked_for_in_pieces),
		COUNT(what_is_not_known_is_not_published),
		COUNT(what_cannot_be_read_is_not_published),
		COUNT(all_groups_have_their_turn),
		COUNT(chains_that_were_lost_take_no_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
