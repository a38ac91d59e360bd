/* Conversations that somebody else keeps locked: a short list, for there is hardly ever one. */
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
find(const struct held *held, const char *conversation_id)
{
	size_t i = 0;

	while (i < held->n && strcmp(held->entries[i].conversation_id, conversation_id) != 0)
		i++;
	return i;
}

void
held_note(struct held *held, const char *conversation_id, int64_t now_ms)
{
	size_t i;

	pthread_mutex_lock(&held->mutex);
	i = find(held, conversation_id);
	if (i < HELD_MAX) {
		snprintf(held->entries[i].conversation_id, ID_SIZE, "%s", conversation_id);
		held->entries[i].until_ms = now_ms + HELD_FOR_MS;
		if (i == held->n)
			held->n++;
	}
	pthread_mutex_unlock(&held->mutex);
}

void
held_forget(struct held *held, const char *conversation_id)
{
	size_t i;

	if (!conversation_id)
		return;
	pthread_mutex_lock(&held->mutex);
	i = find(held, conversation_id);
	if (i < held->n)
		held->entries[i] = held->entries[--held->n];
	pthread_mutex_unlock(&held->mutex);
}

int64_t
held_refuses_ms(struct held *held, const char *conversation_id, int64_t now_ms)
{
	int64_t left_ms = 0;
	size_t i;

	pthread_mutex_lock(&held->mutex);
	i = find(held, conversation_id);
	if (i < held->n) {
		left_ms = held->entries[i].until_ms - now_ms;
		if (left_ms <= 0) {
			held->entries[i].until_ms = now_ms + HELD_TRY_MS;
			left_ms = 0;
		}
	}
	pthread_mutex_unlock(&held->mutex);
	return left_ms;
}
