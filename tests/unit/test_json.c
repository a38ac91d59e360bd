/* json: strict parsing and decoding, with every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "json.h"

static void
parses_one_object(void **state)
{
	static const char *const texts[] = {
		"{}",
		" {\"a\": [1, {\"b\": null}]} \n",
		"{\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\": 1}", /* brackets in text nest nothing */
		"{\"a\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\": \"]]}}\\\\\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		json_t *object = NULL;

		assert_int_equal(json_parse_object(texts[i], strlen(texts[i]), &object, NULL), OK);
		assert_true(json_is_object(object));
		json_decref(object);
	}
}

static void
refuses_what_is_not_one_object(void **state)
{
	static const struct {
		const char *text;
		const char *said; /* part of the sentence */
	} cases[] = {
		{"", "ends too early"},
		{"{", "ends too early"},
		{"[]", "an object at its top level"},
		{"\"text\"", "syntax"},
		{"{} {}", "something follows"},
		{"{}x", "something follows"},
		{"{\"a\":1,}", "line 1, column 8: a syntax error"},
		{"{'a':1}", "syntax"},
		{"{\"a\":01}", "syntax"},
		{"{\"a\":NaN}", "syntax"},
		{"{\"a\":1,\"a\":2}", "stands twice"},
		{"{\"a\":\"\xff\"}", "UTF-8"},
		{"{\"a\":\"\xed\xa0\x80\"}", "UTF-8"},
		{"{\"a\":\"\\ud800\"}", "syntax"},
		{"{\"a\":\"x\\u0000y\"}", "NUL"},
		{"{\"\\u0000\":1}", "NUL"},
		{"{\"a\":\"line\nbreak\"}", "syntax"},
		{"{\"a\":99999999999999999999}", "too big"},
		{"{\"a\":1e999}", "too big"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		json_t *object = NULL;
		struct fault fault;

		assert_int_equal(json_parse_object(cases[i].text, strlen(cases[i].text), &object, &fault),
				 ERR_MALFORMED);
		assert_null(object);
		assert_string_equal(fault.code, "invalid_json");
		if (strstr(fault.detail, cases[i].said) == NULL)
			fail_msg("%s: %s", cases[i].text, fault.detail);
	}
}

static void
refuses_a_raw_nul(void **state)
{
	static const char text[] = "{\"a\":\"x\0y\"}";
	json_t *object = NULL;

	(void)state;
	assert_int_equal(json_parse_object(text, sizeof text - 1, &object, NULL), ERR_MALFORMED);
	assert_int_equal(json_parse_object("{}\0", 3, &object, NULL), ERR_MALFORMED);
}

static void
never_repeats_what_was_sent(void **state)
{
	static const char text[] = "{\"password\": \"secret\" secret2}";
	json_t *object = NULL;
	struct fault fault;

	(void)state;
	assert_int_equal(json_parse_object(text, sizeof text - 1, &object, &fault), ERR_MALFORMED);
	assert_null(strstr(fault.detail, "secret"));
}

/* `depth` objects, or arrays in an object, one within another. The caller finishes the buffer. */
static void
nest(struct buf *ret_text, int depth, bool of_objects)
{
	buf_init(ret_text, 0);
	buf_append_text(ret_text, "{");
	for (int i = 1; i < depth; i++)
		buf_append_text(ret_text, i == 1 || of_objects ? of_objects ? "\"a\":{" : "\"a\":[" : "[");
	for (int i = 1; i < depth; i++)
		buf_append_text(ret_text, of_objects ? "}" : "]");
	buf_append_text(ret_text, "}");
}

static void
nesting_is_bounded(void **state)
{
	static char bomb[200000];

	(void)state;
	for (int of_objects = 0; of_objects <= 1; of_objects++) {
		json_t *object = NULL;
		struct fault fault;
		struct buf text;

		nest(&text, JSON_DEPTH_MAX, of_objects);
		assert_int_equal(json_parse_object(text.bytes, text.len, &object, NULL), OK);
		json_decref(object);
		buf_finish(&text);
		nest(&text, JSON_DEPTH_MAX + 1, of_objects);
		assert_int_equal(json_parse_object(text.bytes, text.len, &object, &fault), ERR_MALFORMED);
		assert_non_null(strstr(fault.detail, "nested deeper"));
		buf_finish(&text);
	}
	memset(bomb, '[', sizeof bomb);
	assert_int_equal(json_parse_object(bomb, sizeof bomb, &(json_t *){NULL}, NULL), ERR_MALFORMED);
}

struct target {
	const char *text;
	int64_t number;
	bool flag;
	json_t *object;
	json_t *array;
};

static enum status
decode(const char *text, struct target *target, struct arena *arena, struct fault *ret_fault)
{
	const struct json_field fields[] = {
		{"text", JSON_KIND_TEXT, true, &target->text},     {"number", JSON_KIND_INT, false, &target->number},
		{"flag", JSON_KIND_BOOL, false, &target->flag},    {"object", JSON_KIND_OBJECT, false, &target->object},
		{"array", JSON_KIND_ARRAY, false, &target->array},
	};
	CLEANUP_JSON json_t *object = NULL;
	enum status status;

	assert_int_equal(json_parse_object(text, strlen(text), &object, NULL), OK);
	*target = (struct target){.text = "unset", .number = -7};
	status = json_decode(object, fields, sizeof fields / sizeof fields[0], arena, ret_fault);
	target->text = arena_strdup(arena, target->text);
	return status;
}

static void
decodes_what_is_there(void **state)
{
	struct arena arena = {0};
	struct target target;

	(void)state;
	assert_int_equal(
		decode("{\"text\":\"hi\",\"number\":-9007199254740991,\"flag\":true,\"object\":{},\"array\":[]}",
		       &target, &arena, NULL),
		OK);
	assert_string_equal(target.text, "hi");
	assert_int_equal(target.number, -9007199254740991);
	assert_true(target.flag);
	assert_non_null(target.object);
	assert_non_null(target.array);
	assert_int_equal(decode("{\"text\":\"\",\"number\":null}", &target, &arena, NULL), OK);
	assert_string_equal(target.text, "");
	assert_int_equal(target.number, -7);
	assert_false(target.flag);
	assert_null(target.object);
	arena_finish(&arena);
}

static void
refuses_what_does_not_fit(void **state)
{
	static const struct {
		const char *text;
		const char *code;
		const char *field;
	} cases[] = {
		{"{}", "missing_key", "text"},
		{"{\"text\":null}", "wrong_type", "text"},
		{"{\"text\":1}", "wrong_type", "text"},
		{"{\"text\":\"\",\"number\":\"1\"}", "wrong_type", "number"},
		{"{\"text\":\"\",\"number\":1.0}", "wrong_type", "number"},
		{"{\"text\":\"\",\"number\":9007199254740992}", "wrong_type", "number"},
		{"{\"text\":\"\",\"number\":-9007199254740992}", "wrong_type", "number"},
		{"{\"text\":\"\",\"flag\":0}", "wrong_type", "flag"},
		{"{\"text\":\"\",\"object\":[]}", "wrong_type", "object"},
		{"{\"text\":\"\",\"array\":{}}", "wrong_type", "array"},
		{"{\"txt\":1}", "unknown_key", "txt"},
		{"{\"text\":\"\",\"seen_2\":1}", "unknown_key", "seen_2"},
	};
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct target target;
		struct fault fault;

		assert_int_equal(decode(cases[i].text, &target, &arena, &fault), ERR_MALFORMED);
		assert_int_equal(fault.status, ERR_MALFORMED);
		assert_string_equal(fault.code, cases[i].code);
		assert_string_equal(fault.field, cases[i].field); /* the json_t is gone by now */
	}
	arena_finish(&arena);
}

#define KEY_64 "abcdefghijklmnopqrstuvwxyz_0123456789_abcdefghijklmnopqrstuvwxyz"

/* A body may hold a password where a key should be: only what looks like a name of ours is repeated. */
static void
an_unknown_key_is_repeated_only_when_it_looks_like_one_of_ours(void **state)
{
	static const struct {
		const char *key;
		bool shown;
	} cases[] = {
		{"a", true},         {"_", true},         {KEY_64, true},       {KEY_64 "x", false},
		{"", false},         {"Text", false},     {"my secret", false}, {"p\xc3\xa4", false},
		{"hunter2!", false}, {"a\\u0001", false}, {"a.b", false},       {"%s", false},
	};
	struct arena arena = {0};
	struct target target;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *text = arena_printf(&arena, "{\"%s\": 1}", cases[i].key);
		struct fault fault;

		assert_int_equal(decode(text, &target, &arena, &fault), ERR_MALFORMED);
		assert_string_equal(fault.code, "unknown_key");
		if (cases[i].shown) {
			assert_string_equal(fault.field, cases[i].key);
			assert_non_null(strstr(fault.detail, cases[i].key));
		} else {
			assert_null(fault.field);
			assert_string_equal(fault.detail, "One of the keys is not known here; leave it out.");
		}
	}
	arena_finish(&arena);
}

static void
text_of_json_is_compact(void **state)
{
	size_t len = 0;
	CLEANUP_FREE char *text = json_to_text(json_pack("{s:s, s:[i]}", "a", "x\n/\xc3\xa4", "b", 1), &len);
	CLEANUP_FREE char *null = json_to_text(json_null(), NULL);

	(void)state;
	assert_string_equal(text, "{\"a\":\"x\\n/\xc3\xa4\",\"b\":[1]}");
	assert_int_equal(len, strlen(text));
	assert_string_equal(null, "null");
}

static int
prepare(void **state)
{
	(void)state;
	json_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_one_object),
		cmocka_unit_test(refuses_what_is_not_one_object),
		cmocka_unit_test(refuses_a_raw_nul),
		cmocka_unit_test(never_repeats_what_was_sent),
		cmocka_unit_test(nesting_is_bounded),
		cmocka_unit_test(decodes_what_is_there),
		cmocka_unit_test(refuses_what_does_not_fit),
		cmocka_unit_test(an_unknown_key_is_repeated_only_when_it_looks_like_one_of_ours),
		cmocka_unit_test(text_of_json_is_compact),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
