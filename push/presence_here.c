/* One entry a person, from the first socket until nothing is left to be told: see presence_here.h. */
#include "presence_here.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "base/clock.h"

struct person {
	char id[ID_SIZE];
	UT_hash_handle hh;
	bool has_socket;
	int64_t left_at_ms; /* monotonic, when the last socket went; 0: it has one, or the grace is over */
	int64_t seen_ms;    /* wall clock, likewise */
	bool wanted, held;  /* in Redis: as it should be, as it was last answered */
	bool flying, queued;
	bool again;                 /* what is flying was taken before all had to be written anew */
	int64_t refreshed_ms;       /* monotonic */
	struct person *prev, *next; /* in here->dirty */
	struct presence row;        /* unknown: none is due */
};

struct presence_here {
	struct person *people; /* by id */
	struct person *dirty;
	int64_t grace_ms;
};

struct presence_here *
presence_here_create(int64_t grace_ms)
{
	struct presence_here *here = calloc(1, sizeof *here);

	if (!here)
		abort();
	here->grace_ms = grace_ms;
	return here;
}

static void
forget(struct presence_here *here, struct person *person)
{
	if (person->queued)
		DL_DELETE(here->dirty, person);
	HASH_DEL(here->people, person);
	free(person);
}

void
presence_here_destroy(struct presence_here *here)
{
	struct person *person, *next;

	if (!here)
		return;
	HASH_ITER (hh, here->people, person, next) {
		forget(here, person);
	}
	free(here);
}

static struct person *
find(struct presence_here *here, const char *user_id)
{
	struct person *person;

	HASH_FIND_STR(here->people, user_id, person);
	return person;
}

static struct person *
use(struct presence_here *here, const char *user_id)
{
	struct person *person = find(here, user_id);

	if (person)
		return person;
	person = calloc(1, sizeof *person);
	if (!person)
		abort();
	memcpy(person->id, user_id, ID_SIZE);
	HASH_ADD_STR(here->people, id, person);
	return person;
}

static void
queue(struct presence_here *here, struct person *person)
{
	if (person->queued || person->flying)
		return;
	person->queued = true;
	DL_APPEND(here->dirty, person);
}

static void
set_row(struct person *person, enum presence_status status, int64_t seen_ms)
{
	memcpy(person->row.user_id, person->id, ID_SIZE);
	person->row.status = status;
	person->row.last_seen_ms = seen_ms;
}

void
presence_here_came(struct presence_here *here, const char *user_id, int64_t now_ms)
{
	struct person *person = use(here, user_id);

	person->has_socket = true;
	person->left_at_ms = 0;
	if (person->wanted)
		return; /* back within the grace: nobody has noticed */
	person->wanted = true;
	person->refreshed_ms = now_ms;
	set_row(person, PRESENCE_ONLINE, clock_wall_ms());
	queue(here, person);
}

void
presence_here_left(struct presence_here *here, const char *user_id, int64_t now_ms)
{
	struct person *person = find(here, user_id);

	if (!person)
		return;
	person->has_socket = false;
	person->left_at_ms = now_ms > 0 ? now_ms : 1;
	person->seen_ms = clock_wall_ms();
}

static void
look_at(struct presence_here *here, struct person *person, int64_t now_ms, bool up)
{
	if (person->left_at_ms && now_ms - person->left_at_ms >= here->grace_ms) {
		person->left_at_ms = 0;
		person->wanted = false;
		if (!up)
			set_row(person, PRESENCE_OFFLINE, person->seen_ms);
		queue(here, person);
	}
	if (person->has_socket && now_ms - person->refreshed_ms >= PRESENCE_REFRESH_MS) {
		person->refreshed_ms = now_ms;
		person->held = false;
		set_row(person, PRESENCE_ONLINE, clock_wall_ms());
		queue(here, person);
	}
	if (!person->wanted && !person->queued && !person->flying && person->row.status == PRESENCE_UNKNOWN)
		forget(here, person);
}

void
presence_here_tick(struct presence_here *here, int64_t now_ms, bool up)
{
	struct person *person, *next;

	HASH_ITER (hh, here->people, person, next) {
		look_at(here, person, now_ms, up);
	}
}

void
presence_here_rewrite(struct presence_here *here)
{
	struct person *person, *next;

	HASH_ITER (hh, here->people, person, next) {
		person->held = !person->wanted;
		person->again = person->flying;
		queue(here, person);
	}
}

size_t
presence_here_take(struct presence_here *here, struct presence_change *ret_changes, size_t max)
{
	size_t n = 0;

	while (n < max && here->dirty) {
		struct person *person = here->dirty;
		struct presence_change *change = &ret_changes[n];

		DL_DELETE(here->dirty, person);
		person->queued = false;
		if (person->wanted == person->held)
			continue;
		person->flying = true;
		memcpy(change->user_id, person->id, ID_SIZE);
		change->here = person->wanted;
		change->seen_ms = person->seen_ms;
		n++;
	}
	return n;
}

void
presence_here_answered(struct presence_here *here, const struct presence_change *changes, size_t n, const char *answers)
{
	if (answers && strlen(answers) != n)
		answers = NULL;
	for (size_t i = 0; i < n; i++) {
		struct person *person = find(here, changes[i].user_id);

		if (!person)
			continue;
		person->flying = false;
		person->held = answers && !person->again ? changes[i].here : !person->wanted;
		person->again = false;
		if (answers && answers[i] == '-')
			set_row(person, PRESENCE_OFFLINE, changes[i].seen_ms);
		if (person->wanted != person->held)
			queue(here, person);
	}
}

static int
compare_rows(const void *one, const void *other)
{
	return strcmp(((const struct presence *)one)->user_id, ((const struct presence *)other)->user_id);
}

/* By id: two processes that write the same people in another order would wait for each other. */
size_t
presence_here_take_rows(struct presence_here *here, struct presence *ret_rows, size_t max)
{
	struct person *person, *next;
	size_t n = 0;

	HASH_ITER (hh, here->people, person, next) {
		if (n == max)
			break;
		if (person->row.status == PRESENCE_UNKNOWN)
			continue;
		ret_rows[n++] = person->row;
		person->row.status = PRESENCE_UNKNOWN;
	}
	qsort(ret_rows, n, sizeof *ret_rows, compare_rows);
	return n;
}

void
presence_here_rows_failed(struct presence_here *here, const struct presence *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct person *person = use(here, rows[i].user_id);

		if (person->row.status == PRESENCE_UNKNOWN)
			person->row = rows[i];
	}
}

void
presence_here_end(struct presence_here *here)
{
	struct person *person, *next;

	HASH_ITER (hh, here->people, person, next) {
		if (!person->has_socket && person->wanted)
			set_row(person, PRESENCE_OFFLINE, person->seen_ms);
	}
}
