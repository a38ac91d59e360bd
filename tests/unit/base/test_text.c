/* base/text: what counts as text, and how names compare. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/text.h"

static void
utf8_is_checked(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool valid;
	} cases[] = {
		{"", 0, true},
		{NULL, 0, true},
		{"abc", 3, true},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa6", 9, true},
		{"\xef\xbf\xbf\xf4\x8f\xbf\xbf", 7, true}, /* U+FFFF and U+10FFFF are code points */
		{"a\0b", 3, false},
		{"\xc3", 1, false},
		{"\xa4", 1, false},
		{"\xc0\x80", 2, false},         /* overlong NUL */
		{"\xe0\x9f\xbf", 3, false},     /* overlong */
		{"\xed\xa0\x80", 3, false},     /* surrogate */
		{"\xf4\x90\x80\x80", 4, false}, /* above U+10FFFF */
		{"\xff", 1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(text_is_utf8(cases[i].bytes, cases[i].len), cases[i].valid);
}

static void
code_points_are_counted(void **state)
{
	(void)state;
	assert_int_equal(text_code_points(""), 0);
	assert_int_equal(text_code_points("abc"), 3);
	assert_int_equal(text_code_points("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa6"), 3);
}

static void
control_characters_are_found(void **state)
{
	static const struct {
		const char *text;
		const char *allowed;
		bool found;
	} cases[] = {
		{"", "", false},
		{"plain \xc3\xa4 \xc2\xa0", "", false}, /* U+00A0 comes right after the C1 controls */
		{"two\nlines\tand a tab", "\n\t", false},
		{"two\nlines", "", true},
		{"two\nlines", "\t", true},
		{"bell\a", "\n\t", true},
		{"\x1b[31m", "\n\t", true},
		{"del\x7f", "\n\t", true},
		{"next line \xc2\x85", "\n\t", true},
		{"csi \xc2\x9b", "\n\t", true},
		{"return\r", "\n\t", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(text_has_control(cases[i].text, cases[i].allowed), cases[i].found);
}

static void
invisible_characters_are_found(void **state)
{
	static const struct {
		const char *text;
		bool found;
	} cases[] = {
		{"", false},
		{"Anna \xe2\x9d\xa4\xef\xb8\x8f", false},                                /* heart, emoji presentation */
		{"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xac", false},                 /* woman, joiner, microscope */
		{"\xd8\xb9\xd9\x84\xdb\x8c\xe2\x80\x8c\xd8\xb1\xd8\xb6\xd8\xa7", false}, /* Persian, non-joiner */
		{"\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d\xe0\xa4\xb7", false},             /* Devanagari virama, joiner */
		{"an\xe2\x80\x8dna", true}, /* joiner between Latin letters */
		{"an\xe2\x80\x8cna", true},
		{"\xe2\x80\x8d", true},
		{"anna\xef\xb8\x8f", true},
		{"an\xe2\x80\x8bna", true},  /* zero-width space */
		{"an\xc2\xadna", true},      /* soft hyphen */
		{"\xe2\x80\xaetxt", true},   /* right-to-left override */
		{"\xe2\x81\xa6x", true},     /* isolate */
		{"\xd8\x9cx", true},         /* Arabic letter mark */
		{"\xef\xbb\xbfx", true},     /* byte order mark */
		{"\xe3\x85\xa4", true},      /* Hangul filler */
		{"x\xf3\xa0\x81\xa1", true}, /* tag letter */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(text_has_invisible(cases[i].text), cases[i].found);
}

static void
names_fold_to_one_form(void **state)
{
	static const struct {
		const char *text;
		const char *folded;
	} cases[] = {
		{"", ""},
		{"Anna.Lee_9", "anna.lee_9"},
		{"STRASSE", "strasse"},
		{"Stra\xc3\x9f"
		 "e",
		 "strasse"},
		{"A\xcc\x88rger", "\xc3\xa4rger"},                        /* combining diaeresis */
		{"\xef\xbc\xa1\xef\xbc\xa2", "ab"},                       /* full width */
		{"\xe2\x84\xa2", "tm"},                                   /* trade mark: NFKC brings capitals forth */
		{"\xef\xac\x81n", "fin"},                                 /* ligature */
		{"\xce\xa3\xcf\x83\xcf\x82", "\xcf\x83\xcf\x83\xcf\x83"}, /* sigmas */
		{"\xe2\x84\xaa", "k"},                                    /* Kelvin sign */
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *folded = text_fold(&arena, cases[i].text);

		assert_string_equal(folded, cases[i].folded);
		assert_string_equal(text_fold(&arena, folded), folded);
	}
	arena_finish(&arena);
}

static void
blank_text_is_found(void **state)
{
	(void)state;
	assert_true(text_is_blank(""));
	assert_true(text_is_blank(" \t\n\xc2\xa0\xe3\x80\x80"));
	assert_false(text_is_blank("  x "));
	assert_true(
		text_is_blank("\xe2\xa0\x80 \xe1\x85\x9f\xe1\x85\xa0\xe3\x85\xa4\xef\xbe\xa0")); /* no dot, fillers */
	assert_false(text_is_blank("\xe2\xa0\x81"));
	assert_false(text_is_blank("\xe2\x80\x8b")); /* a zero-width space is invisible, not white space */
}

static void
a_combining_mark_that_begins_is_found(void **state)
{
	(void)state;
	assert_true(text_begins_combining("\xcc\x81"));
	assert_true(text_begins_combining("\xcc\x81x"));
	assert_false(text_begins_combining(""));
	assert_false(text_begins_combining("e\xcc\x81"));
	assert_false(text_begins_combining("\xc3\xa9"));
}

static void
integers_are_read_strictly(void **state)
{
	static const struct {
		const char *text;
		bool valid;
		long long value;
	} cases[] = {
		{"0", true, 0},
		{"007", true, 7},
		{"9007199254740991", true, 9007199254740991},
		{"9007199254740992", false, 0},
		{"99999999999999999999999999", false, 0},
		{"", false, 0},
		{NULL, false, 0},
		{"-1", false, 0},
		{"+1", false, 0},
		{" 1", false, 0},
		{"1 ", false, 0},
		{"0x1", false, 0},
		{"1e3", false, 0},
		{"\xd9\xa1", false, 0}, /* Arabic-Indic one */
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		long long value = -1;

		assert_int_equal(text_to_int64(cases[i].text, &value), cases[i].valid);
		assert_int_equal(value, cases[i].valid ? cases[i].value : -1);
	}
}

static void
an_emoji_has_one_form(void **state)
{
	static const struct {
		const char *text;
		const char *normal; /* NULL: it is not one emoji */
	} cases[] = {
		{"\xf0\x9f\x91\x8d", "\xf0\x9f\x91\x8d"},                                 /* thumb */
		{"\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd", "\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd"}, /* with a skin tone */
		{"\xe2\x98\x95", "\xe2\x98\x95"},                                         /* cup */
		{"\xe2\x9d\xa4\xef\xb8\x8f", "\xe2\x9d\xa4\xef\xb8\x8f"},                 /* heart */
		{"1\xef\xb8\x8f\xe2\x83\xa3", "1\xef\xb8\x8f\xe2\x83\xa3"},               /* keycaps */
		{"#\xef\xb8\x8f\xe2\x83\xa3", "#\xef\xb8\x8f\xe2\x83\xa3"},
		{"\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa", "\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa"}, /* flag of two letters */
		{"\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xb3\xf3\xa0\x81\xa3\xf3\xa0\x81\xb4\xf3\xa0\x81\xbf",
		 "\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xb3\xf3\xa0\x81\xa3\xf3\xa0\x81\xb4\xf3\xa0\x81\xbf"}, /* flag by tags */
		{"\xf0\x9f\x8f\xb4\xf3\xa0\x81\xb5\xf3\xa0\x81\xb3\xf3\xa0\x81\xa3\xf3\xa0\x81\xa1\xf3\xa0\x81\xbf",
		 "\xf0\x9f\x8f\xb4\xf3\xa0\x81\xb5\xf3\xa0\x81\xb3\xf3\xa0\x81\xa3\xf3\xa0\x81\xa1\xf3\xa0\x81\xbf"},
		{"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
		 "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7"}, /* family */
		{"\xf0\x9f\x8f\xb3\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x8c\x88",
		 "\xf0\x9f\x8f\xb3\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x8c\x88"}, /* rainbow flag */
		{"\xf0\x9f\xa4\xb7\xf0\x9f\x8f\xbd\xe2\x80\x8d\xe2\x99\x80\xef\xb8\x8f",
		 "\xf0\x9f\xa4\xb7\xf0\x9f\x8f\xbd\xe2\x80\x8d\xe2\x99\x80\xef\xb8\x8f"}, /* a woman shrugs */
		{"\xe2\x98\x9d\xf0\x9f\x8f\xbd", "\xe2\x98\x9d\xf0\x9f\x8f\xbd"}, /* a tone implies the picture */
		{"\xf0\x9f\xab\xa8", "\xf0\x9f\xab\xa8"},                         /* of a later Unicode */
		{"\xe2\x9d\xa4", "\xe2\x9d\xa4\xef\xb8\x8f"},                     /* text without it */
		{"1\xe2\x83\xa3", "1\xef\xb8\x8f\xe2\x83\xa3"},
		{"\xf0\x9f\x91\x8d\xef\xb8\x8f", "\xf0\x9f\x91\x8d"}, /* a picture without it */
		{"\xf0\x9f\x8f\xb3\xe2\x80\x8d\xf0\x9f\x8c\x88",
		 "\xf0\x9f\x8f\xb3\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x8c\x88"},
		{"\xf0\x9f\xa4\xb7\xf0\x9f\x8f\xbd\xe2\x80\x8d\xe2\x99\x80",
		 "\xf0\x9f\xa4\xb7\xf0\x9f\x8f\xbd\xe2\x80\x8d\xe2\x99\x80\xef\xb8\x8f"},
		{"\xf0\x9f\x91\xa9\xe2\x80\x8d\xe2\x9d\xa4\xe2\x80\x8d\xf0\x9f\x91\xa8",
		 "\xf0\x9f\x91\xa9\xe2\x80\x8d\xe2\x9d\xa4\xef\xb8\x8f\xe2\x80\x8d\xf0\x9f\x91\xa8"}, /* a couple */
		{"\xf0\x9f\xab\xa8\xef\xb8\x8f", "\xf0\x9f\xab\xa8"},
		{"", NULL},
		{"a", NULL},
		{"1", NULL},
		{"#\xef\xb8\x8f", NULL},
		{"a\xe2\x83\xa3", NULL},
		{"12\xe2\x83\xa3", NULL},
		{"1\xe2\x83\xa3\xe2\x83\xa3", NULL},
		{"1\xef\xb8\x8f\xef\xb8\x8f\xe2\x83\xa3", NULL},
		{"\xf0\x9f\x87\xa9", NULL},                                 /* half a flag */
		{"\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa\xf0\x9f\x87\xa9", NULL}, /* a flag and a half */
		{"\xf0\x9f\x91\x8d\xf0\x9f\x91\x8d", NULL},                 /* two */
		{"\xf0\x9f\x91\x8d ", NULL},
		{" \xf0\x9f\x91\x8d", NULL},
		{"\xf0\x9f\x91\x8d\xcc\x81", NULL},                                 /* with an accent */
		{"\xf0\x9f\x91\xa9\xe2\x80\x8d", NULL},                             /* joined to nothing */
		{"\xe2\x80\x8d\xf0\x9f\x91\xa9", NULL},                             /* nothing joined to it */
		{"\xf0\x9f\x91\xa9\xe2\x80\x8d\xe2\x80\x8d\xf0\x9f\x91\xa9", NULL}, /* twice */
		{"\xef\xb8\x8f", NULL},                                             /* only the presentation */
		{"\xe2\x9d\xa4\xef\xb8\x8f\xef\xb8\x8f", NULL},                     /* twice */
		{"\xe2\x9d\xa4\xef\xb8\x8e", NULL},                                 /* text wanted */
		{"\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xb3\xf3\xa0\x81\xa3\xf3\xa0\x81\xb4",
		 NULL},                                                                     /* tags without their end */
		{"\xf0\x9f\x8f\xb4\xf3\xa0\x81\xbf", NULL},                                 /* an end without tags */
		{"\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xbf", NULL}, /* too few tags */
		{"\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xb3\xf3\xa0\x81\xa3\xf3\xa0\x81\xb4\xf3\xa0\x81\xb8\xf3\xa0\x81\xb9\xf3\xa0\x81\xba\xf3\xa0\x81\xbf",
		 NULL}, /* too many */
		{"\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xb3\xf3\xa0\x81\xa3\xf3\xa0\x81\xb4\xf3\xa0\x81\xbf\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xb3\xf3\xa0\x81\xa3\xf3\xa0\x81\xb4\xf3\xa0\x81\xbf",
		 NULL},
		{"\xf0\x9f\x8f\xb4\xf3\xa0\x81\x87\xf3\xa0\x81\x82\xf3\xa0\x81\x93\xf3\xa0\x81\x83\xf3\xa0\x81\x94\xf3\xa0\x81\xbf",
		 NULL},
		{"\xf0\x9f\x91\x8d\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xb3\xf3\xa0\x81\xa3\xf3\xa0\x81\xb4\xf3\xa0\x81\xbf",
		 NULL}, /* tags that show nothing */
		{"\xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xa2\xf3\xa0\x81\xb3\xf3\xa0\x81\xa3\xf3\xa0\x81\xb4\xf3\xa0\x81\xbf\xe2\x80\x8d\xf0\x9f\x8c\x88",
		 NULL},
		{"\xf0\x9f", NULL}, /* cut */
		{"<3", NULL},
	};
	char many[33 * 4 + 1] = "";
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *normal = text_normalize_emoji(&arena, cases[i].text);

		if (!normal != !cases[i].normal || (normal && strcmp(normal, cases[i].normal) != 0))
			fail_msg("case %zu: %s", i, normal ? normal : "none");
	}
	for (size_t i = 0; i < 33; i++)
		memcpy(many + 4 * i, "\xf0\x9f\x91\x8d", 5);
	assert_null(text_normalize_emoji(&arena, many)); /* more code points than are looked at */
	arena_finish(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_checked),
		cmocka_unit_test(code_points_are_counted),
		cmocka_unit_test(control_characters_are_found),
		cmocka_unit_test(invisible_characters_are_found),
		cmocka_unit_test(names_fold_to_one_form),
		cmocka_unit_test(blank_text_is_found),
		cmocka_unit_test(a_combining_mark_that_begins_is_found),
		cmocka_unit_test(integers_are_read_strictly),
		cmocka_unit_test(an_emoji_has_one_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
