/* model/session: what a log-in is shown as, and what of it never is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "json.h"
#include "model/session.h"

#define ID "01890000-0000-7000-8000-00000000000a"

static void
assert_shown(const struct login_session *session, bool current, const char *expected)
{
	size_t len;
	char *text = json_to_text(session_to_json(session, current), &len);

	assert_string_equal(text, expected);
	free(text);
}

static void
a_log_in_is_shown_without_its_secrets(void **state)
{
	struct login_session session = {
		.id = ID,
		.user_id = ID,
		.user_rev = 7,
		.family_hash = "family",
		.refresh_hash = "refresh",
		.previous_hash = "previous",
		.rotated_at_ms = 1760000000500,
		.user_agent = "curl/8 \"x\"",
		.address = "127.0.0.1",
		.created_at_ms = 1760000000123,
		.last_used_at_ms = 1760000001000,
		.expires_at_ms = 1760000002000,
		.revoked_at_ms = 1760000001500,
	};

	(void)state;
	assert_shown(&session, true,
		     "{\"id\":\"" ID "\",\"user_agent\":\"curl/8 \\\"x\\\"\",\"address\":\"127.0.0.1\","
		     "\"created_at\":\"2025-10-09T08:53:20.123Z\",\"last_used_at\":\"2025-10-09T08:53:21.000Z\","
		     "\"expires_at\":\"2025-10-09T08:53:22.000Z\",\"current\":true}");
	session.user_agent = session.address = NULL;
	assert_shown(&session, false,
		     "{\"id\":\"" ID "\",\"user_agent\":null,\"address\":null,"
		     "\"created_at\":\"2025-10-09T08:53:20.123Z\",\"last_used_at\":\"2025-10-09T08:53:21.000Z\","
		     "\"expires_at\":\"2025-10-09T08:53:22.000Z\",\"current\":false}");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_in_is_shown_without_its_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
