/* push/upgrade: whom the rules let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upgrade.h"

static const char *const origins[] = {"https://chat.example", "http://localhost:3000", NULL};

struct row {
	unsigned status;
	struct upgrade_request request;
};

static void
requests_and_their_status(void **state)
{
	static const struct row rows[] = {
		{101, {"/ws", true, "websocket", "h:8081", NULL, "stonechat.v1"}},
		{101, {"/ws", true, "WebSocket", "h:8081", "http://h:8081", "stonechat.v1"}},
		{101, {"/ws", true, "websocket", "H:8081", "https://h:8081", "stonechat.v1"}},
		{101, {"/ws", true, "websocket", "h", "https://chat.example", "other, stonechat.v1"}},
		{101, {"/ws", true, "websocket", "h", "HTTP://LOCALHOST:3000", "a,b ,\tstonechat.v1 ,c"}},
		{404, {"/", true, "websocket", "h", NULL, "stonechat.v1"}},
		{404, {"/ws/", true, "websocket", "h", NULL, "stonechat.v1"}},
		{404, {NULL, true, "websocket", "h", NULL, "stonechat.v1"}},
		{404, {"/", false, "websocket", "h", NULL, "stonechat.v1"}},
		{405, {"/ws", false, "websocket", "h", NULL, "stonechat.v1"}},
		{405, {"/ws", false, NULL, "h", NULL, NULL}},
		{426, {"/ws", true, "foo", "h", "http://evil.example", NULL}},
		{426, {"/ws", true, "h2c", "h", NULL, "stonechat.v1"}},
		{426, {"/ws", true, NULL, "h", NULL, "stonechat.v1"}},
		{400, {"/ws", true, "websocket", "h", NULL, NULL}},
		{400, {"/ws", true, "websocket", "h", NULL, ""}},
		{400, {"/ws", true, "websocket", "h", NULL, "stonechat.v2"}},
		{400, {"/ws", true, "websocket", "h", NULL, "stonechat.v10"}},
		{400, {"/ws", true, "websocket", "h", NULL, "xstonechat.v1, stonechat"}},
		{403, {"/ws", true, "websocket", "h:8081", "http://h", "stonechat.v1"}},
		{403, {"/ws", true, "websocket", "h", "http://h:8081", "stonechat.v1"}},
		{403, {"/ws", true, "websocket", "h", "null", "stonechat.v1"}},
		{403, {"/ws", true, "websocket", "h", "h", "stonechat.v1"}},
		{403, {"/ws", true, "websocket", "h", "ftp://h", "stonechat.v1"}},
		{403, {"/ws", true, "websocket", "h", "http://h.evil.example", "stonechat.v1"}},
		{403, {"/ws", true, "websocket", "h", "https://chat.example.evil", "stonechat.v1"}},
		{403, {"/ws", true, "websocket", "h", "http://chat.example", "stonechat.v1"}},
		{403, {"/ws", true, "websocket", "", "http://", "stonechat.v1"}},
		{403, {"/ws", true, "websocket", NULL, "http://", "stonechat.v1"}},
		{403, {"/ws", true, "websocket", "h", "", "stonechat.v1"}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (upgrade_check(&rows[i].request, origins) != rows[i].status)
			fail_msg("row %zu: %u, not %u", i, upgrade_check(&rows[i].request, origins), rows[i].status);
	}
}

static void
without_settings_only_the_own_origin(void **state)
{
	const struct upgrade_request own = {"/ws", true, "websocket", "h", "http://h", "stonechat.v1"};
	const struct upgrade_request other = {"/ws", true, "websocket", "h", "https://chat.example", "stonechat.v1"};

	(void)state;
	assert_int_equal(upgrade_check(&own, NULL), 101);
	assert_int_equal(upgrade_check(&other, NULL), 403);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_and_their_status),
		cmocka_unit_test(without_settings_only_the_own_origin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
