/* crew: the pauses before a process is started again, and who answers for what is shared. What a crew does with real processes
 * is in tests/integration/test_crew.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crew.h"
#include "metrics.h"
#include "program.h"

static void
pauses_double_up_to_half_a_minute(void **state)
{
	static const int64_t pauses[] = {0, 0, 250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000};

	(void)state;
	for (int i = 0; i < (int)(sizeof pauses / sizeof pauses[0]); i++)
		assert_int_equal(crew_pause_ms(i), pauses[i]);
	assert_int_equal(crew_pause_ms(1000000), 30000);
}

static void
one_process_is_itself(void **state)
{
	struct crew crew = {.n_processes = 1};

	(void)state;
	assert_int_equal(crew_begin(&crew), PROGRAM_GOES_ON);
	assert_int_equal(crew.number, 1);
	assert_int_equal(metrics_get(METRIC_PROCESS), 1);
	assert_true(crew_is_alone(&crew));
	crew_ready(&crew);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double_up_to_half_a_minute),
		cmocka_unit_test(one_process_is_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
