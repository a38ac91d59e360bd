/* base/arena: allocations are zeroed, aligned, separate, and gone at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/arena.h"

static void
allocations_are_aligned_zeroed_and_do_not_overlap(void **state)
{
	struct arena arena = {0};
	char *blocks[300];

	(void)state;
	for (size_t i = 0; i < 300; i++) {
		size_t size = i * 7;

		blocks[i] = arena_alloc(&arena, size);
		assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < size; j++)
			assert_int_equal(blocks[i][j], 0);
		memset(blocks[i], (int)(i % 251), size);
	}
	for (size_t i = 0; i < 300; i++) {
		for (size_t j = 0; j < i * 7; j++)
			assert_int_equal((unsigned char)blocks[i][j], i % 251);
	}
	arena_finish(&arena);
	assert_null(arena.newest);
	arena_finish(&arena);
}

static void
text_is_copied(void **state)
{
	struct arena arena;
	char source[] = "stone";

	(void)state;
	arena_init(&arena);
	const char *copy = arena_strdup(&arena, source);
	source[0] = 'x';
	assert_string_equal(copy, "stone");
	assert_null(arena_strdup(&arena, NULL));
	assert_string_equal(arena_memdup(&arena, "chatter", 4), "chat");
	assert_string_equal(arena_memdup(&arena, NULL, 0), "");
	assert_string_equal(arena_printf(&arena, "%s-%d", "a", 5), "a-5");
	assert_string_equal(arena_printf(&arena, "%s", ""), "");
	assert_int_equal(strlen(arena_printf(&arena, "%*s", 100000, "x")), 100000);
	arena_finish(&arena);
}

static void
reset_gives_zeroed_memory_of_the_kept_block(void **state)
{
	struct arena arena = {0};
	char *bytes;

	(void)state;
	arena_reset(&arena);
	bytes = arena_alloc(&arena, 1000);
	memset(bytes, 'x', 1000);
	arena_reset(&arena);
	assert_non_null(arena.newest);
	bytes = arena_alloc(&arena, 1000);
	for (size_t i = 0; i < 1000; i++)
		assert_int_equal(bytes[i], 0);
	arena_finish(&arena);
}

static void
reset_does_not_keep_a_huge_block(void **state)
{
	struct arena arena = {0};

	(void)state;
	arena_alloc(&arena, 2 * ARENA_KEEP_MAX);
	arena_reset(&arena);
	assert_null(arena.newest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_aligned_zeroed_and_do_not_overlap),
		cmocka_unit_test(text_is_copied),
		cmocka_unit_test(reset_gives_zeroed_memory_of_the_kept_block),
		cmocka_unit_test(reset_does_not_keep_a_huge_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
