/* push/upgrade: whom the rules let in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upgrade.h"

#define RIGHT "Upgrade", "13", 24
/* With stonechat.v1 as many bytes as are taken. */
#define LONG_LIST                                                                                                      \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb,"

#define LONG_NAME "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char *const origins[] = {"https://chat.example", "http://localhost:3000", NULL};

struct row {
	unsigned status;
	struct upgrade_request request;
};

static void
requests_and_their_status(void **state)
{
	static const struct row rows[] = {
		{101, {"/ws", true, "websocket", "h:8081", NULL, "stonechat.v1", RIGHT}},
		{101, {"/ws", true, "WebSocket", "h:8081", "http://h:8081", "stonechat.v1", RIGHT}},
		{101, {"/ws", true, "websocket", "H:8081", "https://h:8081", "stonechat.v1", RIGHT}},
		{101, {"/ws", true, "websocket", "h", "https://chat.example", "other, stonechat.v1", RIGHT}},
		{101, {"/ws", true, "websocket", "h", "HTTP://LOCALHOST:3000", "a,b ,\tstonechat.v1 ,c", RIGHT}},
		{404, {"/", true, "websocket", "h", NULL, "stonechat.v1", RIGHT}},
		{404, {"/ws/", true, "websocket", "h", NULL, "stonechat.v1", RIGHT}},
		{404, {NULL, true, "websocket", "h", NULL, "stonechat.v1", RIGHT}},
		{404, {"/", false, "websocket", "h", NULL, "stonechat.v1", RIGHT}},
		{405, {"/ws", false, "websocket", "h", NULL, "stonechat.v1", RIGHT}},
		{405, {"/ws", false, NULL, "h", NULL, NULL, RIGHT}},
		{426, {"/ws", true, "foo", "h", "http://evil.example", NULL, RIGHT}},
		{426, {"/ws", true, "h2c", "h", NULL, "stonechat.v1", RIGHT}},
		{426, {"/ws", true, NULL, "h", NULL, "stonechat.v1", RIGHT}},
		{426, {"/ws", true, "websocket", "h", NULL, "stonechat.v1", "Upgrade", "13", 0}},
		{426, {"/ws", true, "websocket", "h", NULL, "stonechat.v1", "Upgrade", "13", 25}},
		{426, {"/ws", true, "websocket", "h", NULL, "stonechat.v1", "Upgrade", "12", 24}},
		{426, {"/ws", true, "websocket", "h", NULL, "stonechat.v1", "Upgrade", NULL, 24}},
		{426, {"/ws", true, "websocket", "h", NULL, "stonechat.v1", "close", "13", 24}},
		{426, {"/ws", true, "websocket", "h", NULL, "stonechat.v1", NULL, "13", 24}},
		{101, {"/ws", true, "websocket", "h", NULL, "stonechat.v1", "keep-alive, upgrade", "13", 24}},
		{101, {"/ws", true, "websocket", "h", NULL, LONG_LIST "stonechat.v1", RIGHT}},
		{400, {"/ws", true, "websocket", "h", NULL, LONG_LIST "_stonechat.v1", RIGHT}},
		{400, {"/ws", true, "websocket", "h", NULL, "stonechat.v1,x" LONG_NAME, RIGHT}},
		{400, {"/ws", true, "websocket", "h", NULL, LONG_LIST ",stonechat.v1", RIGHT}},
		{400, {"/ws", true, "websocket", "h", NULL, NULL, RIGHT}},
		{400, {"/ws", true, "websocket", "h", NULL, "", RIGHT}},
		{400, {"/ws", true, "websocket", "h", NULL, "stonechat.v2", RIGHT}},
		{400, {"/ws", true, "websocket", "h", NULL, "stonechat.v10", RIGHT}},
		{400, {"/ws", true, "websocket", "h", NULL, "xstonechat.v1, stonechat", RIGHT}},
		{403, {"/ws", true, "websocket", "h:8081", "http://h", "stonechat.v1", RIGHT}},
		{403, {"/ws", true, "websocket", "h", "http://h:8081", "stonechat.v1", RIGHT}},
		{403, {"/ws", true, "websocket", "h", "null", "stonechat.v1", RIGHT}},
		{403, {"/ws", true, "websocket", "h", "h", "stonechat.v1", RIGHT}},
		{403, {"/ws", true, "websocket", "h", "ftp://h", "stonechat.v1", RIGHT}},
		{403, {"/ws", true, "websocket", "h", "http://h.evil.example", "stonechat.v1", RIGHT}},
		{403, {"/ws", true, "websocket", "h", "https://chat.example.evil", "stonechat.v1", RIGHT}},
		{403, {"/ws", true, "websocket", "h", "http://chat.example", "stonechat.v1", RIGHT}},
		{403, {"/ws", true, "websocket", "", "http://", "stonechat.v1", RIGHT}},
		{403, {"/ws", true, "websocket", NULL, "http://", "stonechat.v1", RIGHT}},
		{403, {"/ws", true, "websocket", "h", "", "stonechat.v1", RIGHT}},
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
	const struct upgrade_request own = {"/ws", true, "websocket", "h", "http://h", "stonechat.v1", RIGHT};
	const struct upgrade_request other = {"/ws",          true, "websocket", "h", "https://chat.example",
					      "stonechat.v1", RIGHT};

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
