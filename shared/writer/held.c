/* What somebody else keeps locked: a short list, for there is hardly ever one. */
#include "writer/held.h"

#include <stdio.h>
#include <string.h>

void
held_init(struct held *held)
{
	pthread_mutex_init(&held->mutex, NULL);
	held->n = 0;
}

void
held_finish(struct held *held)
{
	pthread_mutex_destroy(&held->mutex);
}

/* Its place, or n. */
static size_t
find(const struct held *held, const char *id)
{
	size_t i = 0;

	while (i < held->n && strcmp(held->entries[i].id, id) != 0)
		i++;
	return i;
}

/* The one whose time was over first; n when all still hold. */
static size_t
find_over(const struct held *held, int64_t now_ms)
{
	size_t first = held->n;

	for (size_t i = 0; i < held->n; i++)
		if (held->entries[i].until_ms <= now_ms &&
		    (first == held->n || held->entries[i].until_ms < held->entries[first].until_ms))
			first = i;
	return first;
}

void
held_note(struct held *held, const char *id, int64_t now_ms)
{
	size_t i;

	pthread_mutex_lock(&held->mutex);
	i = find(held, id);
	if (i == HELD_MAX)
		i = find_over(held, now_ms);
	if (i < HELD_MAX) {
		snprintf(held->entries[i].id, ID_SIZE, "%s", id);
		held->entries[i].until_ms = now_ms + HELD_FOR_MS;
		if (i == held->n)
			held->n++;
	}
	pthread_mutex_unlock(&held->mutex);
}

void
held_forget(struct held *held, const char *id)
{
	size_t i;

	if (!id)
		return;
	pthread_mutex_lock(&held->mutex);
	i = find(held, id);
	if (i < held->n)
		held->entries[i] = held->entries[--held->n];
	pthread_mutex_unlock(&held->mutex);
}

bool
held_has_any(struct held *held, const char *const *ids, size_t n_ids)
{
	bool any = false;

	pthread_mutex_lock(&held->mutex);
	if (held->n > 0)
		for (size_t i = 0; i < n_ids && !any; i++)
			any = find(held, ids[i]) < held->n;
	pthread_mutex_unlock(&held->mutex);
	return any;
}

/* Under the mutex: the longest time that is left of any; 0 when all are over. */
static int64_t
longest_left(const struct held *held, const char *const *ids, size_t n_ids, int64_t now_ms)
{
	int64_t longest_ms = 0;

	for (size_t n = 0; n < n_ids; n++) {
		size_t i = find(held, ids[n]);

		if (i < held->n && held->entries[i].until_ms - now_ms > longest_ms)
			longest_ms = held->entries[i].until_ms - now_ms;
	}
	return longest_ms;
}

int64_t
held_refuses_ms(struct held *held, const char *const *ids, size_t n_ids, int64_t now_ms)
{
	int64_t left_ms = 0;

	pthread_mutex_lock(&held->mutex);
	if (held->n > 0)
		left_ms = longest_left(held, ids, n_ids, now_ms);
	for (size_t n = 0; n < n_ids && held->n > 0 && left_ms == 0; n++) {
		size_t i = find(held, ids[n]);

		if (i < held->n)
			held->entries[i].until_ms = now_ms + HELD_TRY_MS;
	}
	pthread_mutex_unlock(&held->mutex);
	return left_ms;
}
