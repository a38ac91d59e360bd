/* client_address: whom X-Forwarded-For is believed of, and what counts as one client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client_address.h"

static void
only_trusted_proxies_are_believed(void **state)
{
	static const struct {
		const char *proxies, *peer, *forwarded_for, *address;
	} cases[] = {
		{"", "192.0.2.1", NULL, "192.0.2.1"},
		{"", "192.0.2.1", "198.51.100.9", "192.0.2.1"}, /* forged: nobody is trusted */
		{"", "127.0.0.1", "198.51.100.9", "127.0.0.1"},
		{"10.0.0.0/8", "192.0.2.1", "198.51.100.9", "192.0.2.1"}, /* forged: not by one who is */
		{"10.0.0.0/8", "10.1.2.3", "198.51.100.9", "198.51.100.9"},
		{"10.0.0.0/8", "10.1.2.3", "203.0.113.5, 198.51.100.9", "198.51.100.9"}, /* the left one is its claim */
		{"10.0.0.0/8", "10.1.2.3", "203.0.113.5, 198.51.100.9 ,10.9.9.9", "198.51.100.9"},
		{"10.0.0.0/8", "10.1.2.3", "10.9.9.9", "10.9.9.9"}, /* all are proxies: the last one known */
		{"10.0.0.0/8", "10.1.2.3", "", "10.1.2.3"},
		{"10.0.0.0/8", "10.1.2.3", " , ,", "10.1.2.3"},
		{"10.0.0.0/8", "10.1.2.3", "nonsense", "10.1.2.3"},
		{"10.0.0.0/8", "10.1.2.3", "ffff", "10.1.2.3"}, /* no address, though hexadecimal */
		{"10.0.0.0/8", "10.1.2.3", "198.51.100.9, unknown", "10.1.2.3"},
		{"10.0.0.0/8", "10.1.2.3", "198.51.100.9:4711", "198.51.100.9"},
		{"10.0.0.0/8", "11.0.0.1", "198.51.100.9", "11.0.0.1"},
		{"10.0.0.0/9", "10.128.0.1", "198.51.100.9", "10.128.0.1"},
		{"10.0.0.0/9", "10.127.0.1", "198.51.100.9", "198.51.100.9"},
		{"192.0.2.1, ::1", "::1", "[2001:db8::9]:443", "2001:db8::9"},
		{"192.0.2.1,::1", "192.0.2.1", "2001:DB8:0::9", "2001:db8::9"},
		{"::ffff:192.0.2.1", "192.0.2.1", "198.51.100.9", "198.51.100.9"},
		{"2001:db8::/32", "2001:db8:1::7", "::ffff:198.51.100.9", "198.51.100.9"},
		{"0.0.0.0/0", "192.0.2.1", "2001:db8::9", "2001:db8::9"},
		{"0.0.0.0/0", "2001:db8::1", "198.51.100.9", "2001:db8::1"},
		{"10.0.0.0/8", NULL, "198.51.100.9", ""},
		{"10.0.0.0/8", "somewhere", "198.51.100.9", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena arena = {0};
		struct client_proxies *proxies;
		char address[CLIENT_ADDRESS_SIZE];

		assert_int_equal(client_proxies_parse(cases[i].proxies, &arena, &proxies, NULL), OK);
		client_address_find(proxies, cases[i].peer, cases[i].forwarded_for, address);
		assert_string_equal(address, cases[i].address);
		arena_finish(&arena);
	}
}

static void
lists_are_checked(void **state)
{
	static const char *const bad[] = {"x",      "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129",
					  "10.0.0", "10.0.0.1,y",  "10",        "dead"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct arena arena = {0};
		struct client_proxies *proxies;
		struct fault fault = {0};

		assert_int_equal(client_proxies_parse(bad[i], &arena, &proxies, &fault), ERR_INVALID);
		assert_string_equal(fault.field, "limits.trusted_proxies");
		arena_finish(&arena);
	}
}

static void
a_customers_network_is_one_client(void **state)
{
	static const char *const cases[][2] = {
		{"192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"2001:db8:1:2::", "2001:db8:1:2::/64"},
		{"::1", "::/64"},
		{"", ""},
	};
	char key[CLIENT_ADDRESS_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		client_address_key(cases[i][0], key);
		assert_string_equal(key, cases[i][1]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_trusted_proxies_are_believed),
		cmocka_unit_test(lists_are_checked),
		cmocka_unit_test(a_customers_network_is_one_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
