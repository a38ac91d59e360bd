/* conversations_shown: every conversation of a list has its own members and reactions, and large groups show the caller. */
#include "support/chat.h"

#include <stdlib.h>

#include "store/conversations_state.h"
#include "store/groups.h"
#include "store/reactions.h"

enum { N_PEOPLE = 26, N_ROOMS = 103 /* more than two statements hold */ };

struct rooms {
	char people[N_PEOPLE][ID_SIZE]; /* ascending */
	char ids[N_ROOMS][ID_SIZE];
};

static int
compare_ids(const void *one, const void *other)
{
	return strcmp(one, other);
}

/* Room n has the first 1 + n % 26 people and the last one, its last message has n % 4 reactions, and one who left stays away. */
static void
make_room(struct test_database *test, struct rooms *rooms, int n)
{
	struct message message = {.seq = 2}, earlier = {.seq = 1};
	int64_t last_seq, last_rev;

	id_make(rooms->ids[n]);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, groups_insert(test->db, rooms->ids[n], arena_printf(&test->arena, "room %d", n),
				     rooms->people[N_PEOPLE - 1], 1, CHAT_NOW_MS + n));
	for (int i = 0; i < N_PEOPLE; i++) {
		struct member member = {.role = "member", .rev = 1, .user_rev = n + 1, .joined_at_ms = CHAT_NOW_MS};

		memcpy(member.conversation_id, rooms->ids[n], ID_SIZE);
		memcpy(member.user_id, rooms->people[i], ID_SIZE);
		if (i <= n % N_PEOPLE || i == N_PEOPLE - 1)
			check_ok(test, groups_join(test->db, &member, false));
	}
	check_ok(test, conversations_advance(test->db, rooms->ids[n], 0, 0, &last_seq, &last_rev));
	check_ok(test, db_commit(test->db, NULL));
	if (n % N_PEOPLE >= 3)
		chat_change(test, "UPDATE members SET left_at = 1 WHERE conversation_id = $1 AND user_id = $2",
			    rooms->ids[n], rooms->people[2]);
	if (n % 5 == 4)
		return;
	chat_send(test, rooms->ids[n], rooms->people[0], CHAT_NOW_MS + n, 2);
	memcpy(message.conversation_id, rooms->ids[n], ID_SIZE);
	memcpy(earlier.conversation_id, rooms->ids[n], ID_SIZE);
	check_ok(test, db_begin(test->db, DB_WRITE));
	check_ok(test, reactions_insert(test->db, &earlier, "c", rooms->people[0], CHAT_NOW_MS));
	for (int i = 0; i < n % 4; i++)
		check_ok(test, reactions_insert(test->db, &message, i == 0 ? "a" : "b", rooms->people[i], CHAT_NOW_MS));
	check_ok(test, db_commit(test->db, NULL));
}

static struct rooms *
make_rooms(struct test_database *test)
{
	struct rooms *rooms = arena_alloc(&test->arena, sizeof *rooms);

	for (int i = 0; i < N_PEOPLE; i++)
		chat_make_user(test, arena_printf(&test->arena, "user%02d", i), rooms->people[i]);
	qsort(rooms->people, N_PEOPLE, ID_SIZE, compare_ids);
	for (int n = 0; n < N_ROOMS; n++)
		make_room(test, rooms, n);
	return rooms;
}

/* What the last person should see of room n. */
static void
check_members(const struct rooms *rooms, int n, const struct conversation *seen)
{
	size_t expected = 0;

	for (int i = 0; i < N_PEOPLE - 1 && i <= n % N_PEOPLE; i++) {
		if (i == 2 && n % N_PEOPLE >= 3)
			continue; /* has left */
		if (expected == CONVERSATION_MEMBERS_SHOWN - 1)
			break; /* the caller takes the last place */
		assert_string_equal(seen->members[expected].user_id, rooms->people[i]);
		assert_string_equal(seen->members[expected++].conversation_id, rooms->ids[n]);
	}
	assert_string_equal(seen->members[expected].user_id, rooms->people[N_PEOPLE - 1]);
	assert_int_equal(seen->n_members, expected + 1);
}

static void
check_reactions(int n, const struct conversation *seen)
{
	if (n % 5 == 4) {
		assert_null(seen->last_message);
		return;
	}
	assert_int_equal(seen->last_message->n_reactions, n % 4 == 0 ? 0 : n % 4 == 1 ? 1 : 2);
	if (n % 4 > 0)
		assert_int_equal(seen->last_message->reactions[0].count, 1);
	if (n % 4 > 1)
		assert_int_equal(seen->last_message->reactions[1].count, n % 4 - 1);
}

static void
each_has_its_own(void **state)
{
	struct test_database *test = *state;
	struct rooms *rooms = make_rooms(test);
	struct conversation *items, one;
	size_t n;
	bool more;

	check_ok(test, conversations_list(test->db, &test->arena,
					  &(struct conversations_wish){rooms->people[N_PEOPLE - 1], INT64_MAX, "", 200},
					  &items, &n, &more));
	assert_int_equal(n, N_ROOMS);
	for (int i = 0; i < N_ROOMS; i++) {
		const struct conversation *seen = &items[N_ROOMS - 1 - i]; /* the newest comes first */

		assert_string_equal(seen->id, rooms->ids[i]);
		check_members(rooms, i, seen);
		check_reactions(i, seen);
	}
	check_ok(test,
		 conversations_get(test->db, &test->arena, rooms->ids[24], rooms->people[N_PEOPLE - 1], &one, NULL));
	check_members(rooms, 24, &one);
	check_ok(test, conversations_get_row(test->db, &test->arena, rooms->ids[24], &one));
	assert_int_equal(one.n_members, CONVERSATION_MEMBERS_SHOWN);
	assert_string_equal(one.members[CONVERSATION_MEMBERS_SHOWN - 1].user_id, rooms->people[20]);
}

/* Each person has cursors of their own in all rooms, and one room is so large that it shows none. */
static void
move_cursors(struct test_database *test, const struct rooms *rooms)
{
	for (int i = 0; i < N_PEOPLE; i++)
		test_database_run(test, arena_printf(&test->arena,
						     "UPDATE members SET read_seq = %d, delivered_seq = %d"
						     " WHERE user_id = '%s'",
						     1 << i, i, rooms->people[i]));
	test_database_run(test,
			  arena_printf(&test->arena, "UPDATE conversations SET member_count = 251 WHERE id = '%s'",
				       rooms->ids[7]));
}

static void
check_states(struct test_database *test, const struct conversations_wish *wish)
{
	struct conversation *items;
	struct conversation_state *states, one;
	size_t n, n_states;
	bool more, more_states;

	check_ok(test, conversations_list(test->db, &test->arena, wish, &items, &n, &more));
	check_ok(test, conversations_states(test->db, &test->arena, wish, &states, &n_states, &more_states));
	assert_int_equal(n_states, n);
	assert_int_equal(more_states, more);
	for (size_t i = 0; i < n; i++) {
		const struct conversation_state of_item = conversations_state_of(&items[i]);

		check_ok(test, conversations_state(test->db, items[i].id, wish->user_id, &one, NULL));
		assert_memory_equal(&of_item, &states[i], sizeof of_item);
		assert_memory_equal(&of_item, &one, sizeof of_item);
		assert_int_equal(of_item.cursors == 0, items[i].member_count > CONVERSATION_CLOSE_MAX);
	}
}

static void
a_state_is_that_of_what_is_read(void **state)
{
	struct test_database *test = *state;
	struct rooms *rooms = make_rooms(test);
	struct conversation_state one;

	move_cursors(test, rooms);
	for (int i = 0; i < N_PEOPLE; i += 5) {
		check_states(test, &(struct conversations_wish){rooms->people[i], INT64_MAX, "", 200});
		check_states(test, &(struct conversations_wish){rooms->people[i], CHAT_NOW_MS + 50, "", 20});
	}
	check_status(conversations_state(test->db, rooms->ids[3], rooms->people[2], &one, NULL), ERR_NOT_FOUND);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {WITH_DATABASE(each_has_its_own),
					   WITH_DATABASE(a_state_is_that_of_what_is_read)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
