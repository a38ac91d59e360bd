/* ending: which signals are one request to end, and which one is the second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "ending.h"

static void
what_comes_twice_within_a_second_is_one_request(void **state)
{
	static const struct {
		int signal_number;
		int64_t at_ms;
		enum ending_step expected;
	} rows[] = {
		{SIGTERM, 5000, ENDING_BEGINS},  {SIGTERM, 5000, ENDING_REPEATED}, {SIGTERM, 5999, ENDING_REPEATED},
		{SIGTERM, 6000, ENDING_HURRIES}, {SIGTERM, 6500, ENDING_REPEATED}, {SIGINT, 6501, ENDING_HURRIES},
		{SIGTERM, 6502, ENDING_HURRIES},
	};
	struct ending ending = {0};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(ending_note(&ending, rows[i].signal_number, rows[i].at_ms), rows[i].expected);
}

/* The status of a process that began to end `ago_ms` ago by SIGTERM and has got `signal_number` before it could look: it goes on
 * to 7 unless it ends by that. */
static int
status_of_one_that_gets(int signal_number, int64_t ago_ms)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		sigset_t signals;

		ending_hold(&signals);
		kill(getpid(), signal_number);
		ending_catch(&(struct ending){SIGTERM, clock_monotonic_ms() - ago_ms});
		_exit(7);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
a_process_at_its_end_is_hurried_by_a_second_request_only(void **state)
{
	(void)state;
	assert_int_equal(status_of_one_that_gets(SIGTERM, 0), 7);
	assert_int_equal(status_of_one_that_gets(SIGTERM, ENDING_ONE_REQUEST_MS), 0);
	assert_int_equal(status_of_one_that_gets(SIGINT, 0), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_twice_within_a_second_is_one_request),
		cmocka_unit_test(a_process_at_its_end_is_hurried_by_a_second_request_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
