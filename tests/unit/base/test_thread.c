/* base/thread: threads have a name and leave signals to the main one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>

#include "base/thread.h"

struct seen {
	char name[16];
	sigset_t blocked;
};

static void *
look(void *argument)
{
	struct seen *seen = argument;

	/* The name is set by the starting thread: wait for it. */
	do
		pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
	while (strcmp(seen->name, "looker") != 0);
	pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
	return seen;
}

static void
thread_has_its_name_and_blocks_signals(void **state)
{
	struct seen seen;
	void *result;
	sigset_t mine;

	(void)state;
	assert_int_equal(pthread_join(thread_start("looker", look, &seen), &result), 0);
	assert_ptr_equal(result, &seen);
	assert_true(sigismember(&seen.blocked, SIGTERM));
	assert_true(sigismember(&seen.blocked, SIGINT));
	pthread_sigmask(SIG_SETMASK, NULL, &mine);
	assert_false(sigismember(&mine, SIGTERM));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thread_has_its_name_and_blocks_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
