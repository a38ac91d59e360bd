/* Starting a thread the way every thread here is started: with a name, and deaf to signals (they are the main one's). */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* `name` has at most 15 bytes. The caller joins the thread. Aborts when there can be no further thread. */
pthread_t thread_start(const char *name, void *(*run)(void *), void *argument);

#endif
