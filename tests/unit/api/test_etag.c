/* etag: what If-Match and If-None-Match say about a tag of ours. */
#include "fixture.h"

#include "api/etag.h"

#define TALK "01890000-0000-7000-8000-00000000000c"
#define PAGE "message"

struct tags {
	struct fixture f;
	struct fixture_person ada, bob;
	char at_7[128], at_9[128]; /* Ada's tags of the page at these revisions */
};

/* A tag of the page as one of them is told it. */
static void
make_tag(struct fixture *f, const struct fixture_person *person, const char *page, int64_t rev, char ret_tag[128])
{
	const char *tag;

	assert_int_equal(fixture_ask_as(f, person, "GET", "/api/v1/users/me", NULL), 200);
	assert_int_equal(etag_make(&f->req, TALK, page, rev, &tag), OK);
	snprintf(ret_tag, 128, "%s", tag);
}

static int
set_up(void **state)
{
	struct tags *tags = calloc(1, sizeof *tags);

	fixture_set_up(&tags->f);
	fixture_sign_up(&tags->f, "ada", &tags->ada);
	fixture_sign_up(&tags->f, "bob", &tags->bob);
	make_tag(&tags->f, &tags->ada, PAGE, 7, tags->at_7);
	make_tag(&tags->f, &tags->ada, PAGE, 9, tags->at_9);
	*state = tags;
	return 0;
}

static int
tear_down(void **state)
{
	struct tags *tags = *state;

	fixture_tear_down(&tags->f);
	free(tags);
	return 0;
}

/* What Ada's request with this header (NULL: none) wants of the page. */
static int64_t
wanted(struct tags *tags, const char *if_match)
{
	int64_t rev = 77;

	if (if_match)
		fixture_param(&tags->f, "HTTP_IF_MATCH", if_match);
	assert_int_equal(fixture_ask_as(&tags->f, &tags->ada, "GET", "/api/v1/users/me", NULL), 200);
	assert_int_equal(etag_wanted_rev(&tags->f.req, TALK, PAGE, &rev), OK);
	return rev;
}

/* %7 and %9 stand for the tags at these revisions. */
static void
expand(const struct tags *tags, const char *pattern, char ret_text[1024])
{
	size_t len = 0;

	for (const char *c = pattern; *c; c++) {
		if (c[0] == '%')
			len += (size_t)snprintf(ret_text + len, 1024 - len, "%s",
						*++c == '7' ? tags->at_7 : tags->at_9);
		else
			ret_text[len++] = *c;
	}
	ret_text[len] = '\0';
}

static void
which_revision_is_wanted(void **state)
{
	static const struct {
		const char *if_match;
		int64_t rev;
	} cases[] = {
		{"%7", 7},
		{" \t%7 ", 7},
		{"%7,%9", 9},
		{"%9, %7", 9},
		{"\"other\", %7", 7},
		{"W/\"7.x\", %7,", 7},
		{"*", 0},
		{"%7, *", 0},
		{"", 0}, /* as if there were no such header */
		{",, ,", -1},
		{"W/%7", -1}, /* RFC 9110 13.1.1: compared strongly */
		{"\"other\"", -1},
		{"%7x", -1},
		{"%7%9", -1},
		{"**", -1},
		{"\"", -1},
		{"\"7\"", -1},
		{"\"7.\"", -1},
		{"\"7.0123456789abcdef\"", -1},
		{"\"-7.x\"", -1},
		{"\"9007199254740993.x\"", -1},
		{"\"99999999999999999999999999.x\"", -1},
		{"7.x", -1},
	};
	struct tags *tags = *state;
	char text[1024];

	assert_int_equal(wanted(tags, NULL), 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		expand(tags, cases[i].if_match, text);
		int64_t rev = wanted(tags, text);

		if (rev != cases[i].rev)
			fail_msg("%s: %lld instead of %lld", text, (long long)rev, (long long)cases[i].rev);
	}
}

/* The digest is of the page and its reader, the number is the revision. */
static void
a_tag_of_something_else_is_none(void **state)
{
	struct tags *tags = *state;
	char tag[128], forged[300];

	snprintf(forged, sizeof forged, "\"8%s", strchr(tags->at_7, '.'));
	assert_int_equal(wanted(tags, forged), 8);
	make_tag(&tags->f, &tags->ada, "another page", 7, tag);
	assert_int_equal(wanted(tags, tag), -1);
	make_tag(&tags->f, &tags->bob, PAGE, 7, tag);
	assert_int_equal(wanted(tags, tag), -1);
	snprintf(forged, sizeof forged, "%s, %s", tag, tags->at_7);
	assert_int_equal(wanted(tags, forged), 7);
}

static void
what_is_held_is_known_by_its_tag(void **state)
{
	static const struct {
		const char *if_none_match;
		bool held;
	} cases[] = {
		{"%7", true},     {"W/%7", true}, {"%9, W/%7", true}, {"*", true},    {"%9", false},
		{"\"x\"", false}, {"", false},    {"W/", false},      {"%7x", false}, {", ,%7", true},
	};
	struct tags *tags = *state;
	char text[1024];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		expand(tags, cases[i].if_none_match, text);
		fixture_param(&tags->f, "HTTP_IF_NONE_MATCH", text);
		assert_int_equal(fixture_ask_as(&tags->f, &tags->ada, "GET", "/api/v1/auth/sessions", NULL), 200);
		if (etag_is_held(&tags->f.req, tags->at_7) != cases[i].held)
			fail_msg("%s", text);
	}
	assert_int_equal(fixture_ask_as(&tags->f, &tags->ada, "GET", "/api/v1/auth/sessions", NULL), 200);
	assert_false(etag_is_held(&tags->f.req, tags->at_7));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(which_revision_is_wanted),
		CASE(a_tag_of_something_else_is_none),
		CASE(what_is_held_is_known_by_its_tag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
