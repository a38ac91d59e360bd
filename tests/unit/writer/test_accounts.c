/* writer/accounts: signing up, the password, the name. */
#include "unit/writer/accounts_fixture.h"

static void
names_are_taken_once(void **state)
{
	static const struct {
		const char *username, *key;
		bool taken;
	} cases[] = {
		{"grace", "grace", false},
		{"gra-ce", "grace", true},
		{"ada", "ada", true},
		{"joan", "joan", false},
	};
	enum { N = sizeof cases / sizeof cases[0] };
	struct fixture *fixture = *state;
	struct write_sign_up writes[N];
	struct write_op *ops[N];

	for (size_t i = 0; i < N; i++) {
		writes[i] = (struct write_sign_up){
			.op.kind = WRITE_SIGN_UP,
			.user = {.username = cases[i].username,
				 .username_key = cases[i].key,
				 .display_name = cases[i].username,
				 .created_at_ms = clock_wall_ms()},
			.password_hash = "$hash",
		};
		id_make(writes[i].user.id);
		make_session(&writes[i].session, writes[i].user.id, cases[i].username);
		ops[i] = &writes[i].op;
	}
	batch_run(&fixture->runner, ops, N); /* one batch: the refused ones don't harm the others */
	for (size_t i = 0; i < N; i++) {
		if (cases[i].taken) {
			assert_refused(&writes[i].op, ERR_CONFLICT, "username_taken");
			assert_string_equal(writes[i].op.fault.field, "username");
		} else {
			assert_int_equal(writes[i].op.status, OK);
			assert_string_equal(writes[i].user.role, "member"); /* Ada was the first */
		}
		arena_finish(&writes[i].op.arena);
	}
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM users"), 3);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM sessions"), 2);
}

static void
the_name_of_a_deleted_person_stays_taken(void **state)
{
	struct fixture *fixture = *state;
	struct write_sign_up write = {
		.op.kind = WRITE_SIGN_UP,
		.user = {.username = "ada", .username_key = "ada", .display_name = "Ada", .created_at_ms = 1},
		.password_hash = "$hash",
	};

	test_database_run(fixture->test, "UPDATE users SET deleted_at = 1");
	id_make(write.user.id);
	make_session(&write.session, write.user.id, "h");
	run_one(fixture, &write.op);
	assert_refused(&write.op, ERR_CONFLICT, "username_taken");
	arena_finish(&write.op.arena);
}

/* Adds a log-in of Ada's; its id. The password is the one of `verified_hash`. */
static void
log_in_by_password(struct fixture *fixture, const char *hash, const char *verified_hash)
{
	arena_finish(&fixture->write.op.arena);
	fixture->write = (struct write_session){.op.kind = WRITE_CREATE_SESSION, .verified_hash = verified_hash};
	make_session(&fixture->write.session, fixture->ada, hash);
	run_one(fixture, &fixture->write.op);
}

/* As somebody whose current password has the hash `verified_hash`. */
static void
change_password(struct fixture *fixture, const char *session_id, const char *verified_hash, struct write_op *ret_op)
{
	struct write_password write = {.op.kind = WRITE_PASSWORD,
				       .verified_hash = verified_hash,
				       .new_hash = "$another"};

	memcpy(write.user_id, fixture->ada, ID_SIZE);
	memcpy(write.session_id, session_id, ID_SIZE);
	run_one(fixture, &write.op);
	arena_finish(&write.op.arena);
	*ret_op = write.op;
}

static void
a_new_password_ends_the_other_sessions(void **state)
{
	struct fixture *fixture = *state;
	char mine[ID_SIZE];
	struct write_op op;

	log_in(fixture, "h0");
	memcpy(mine, fixture->write.session.id, ID_SIZE);
	for (int i = 1; i <= 3; i++)
		log_in(fixture, (const char *const[]){"h1", "h2", "h3"}[i - 1]);
	end_session(fixture, fixture->write.session.id);
	assert_int_equal(person_rev(fixture), 1);

	change_password(fixture, mine, "$hash", &op);
	assert_int_equal(op.status, OK);
	assert_int_equal(person_rev(fixture), 3); /* two were alive besides this one, and each is a change */
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"),
			 1);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(DISTINCT user_rev) FROM sessions"), 4);
	assert_int_equal(test_database_int64(fixture->test, "SELECT password_hash = '$another' FROM users"), 1);
	assert_rotated(fixture, "h0", "h9");
}

static void
a_password_is_changed_by_who_knows_the_current_one(void **state)
{
	struct fixture *fixture = *state;
	char mine[ID_SIZE];
	struct write_op op;

	log_in(fixture, "h0");
	memcpy(mine, fixture->write.session.id, ID_SIZE);
	log_in(fixture, "h1");
	change_password(fixture, mine, "$yesterday's", &op);
	assert_refused(&op, ERR_CONFLICT, "password_changed");
	end_session(fixture, mine); /* while the password was being hashed */
	change_password(fixture, mine, "$hash", &op);
	assert_refused(&op, ERR_UNAUTHORIZED, "session_ended");
	assert_int_equal(test_database_int64(fixture->test, "SELECT password_hash = '$hash' FROM users"), 1);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"),
			 1);
	assert_int_equal(person_rev(fixture), 1);
}

/* A log-in that was on its way when the password changed does not outlive the change. */
static void
the_old_password_logs_nobody_in(void **state)
{
	struct fixture *fixture = *state;
	char mine[ID_SIZE];
	struct write_op op;

	log_in_by_password(fixture, "h0", "$hash");
	assert_int_equal(fixture->write.op.status, OK);
	memcpy(mine, fixture->write.session.id, ID_SIZE);
	change_password(fixture, mine, "$hash", &op);
	assert_int_equal(op.status, OK);
	log_in_by_password(fixture, "h1", "$hash");
	assert_refused(&fixture->write.op, ERR_UNAUTHORIZED, "password_changed");
	log_in_by_password(fixture, "h2", "$another");
	assert_int_equal(fixture->write.op.status, OK);
	assert_int_equal(test_database_int64(fixture->test, "SELECT count(*) FROM sessions"), 2);
}

static void
a_new_name_is_found(void **state)
{
	struct fixture *fixture = *state;
	struct write_user write = {.op.kind = WRITE_UPDATE_USER, .display_name = "Ada LOVELACE"};
	struct user *users;
	size_t n;
	bool more;

	memcpy(write.user_id, fixture->ada, ID_SIZE);
	run_one(fixture, &write.op);
	assert_int_equal(write.op.status, OK);
	assert_string_equal(write.user.display_name, "Ada LOVELACE");
	assert_string_equal(write.user.username, "ada");
	check_ok(fixture->test, users_find(fixture->test->db, &write.op.arena, "ada love", "", 10, &users, &n, &more));
	assert_int_equal(n, 1);
	assert_int_equal(person_rev(fixture), 0); /* not a change of the person's stream */

	test_database_run(fixture->test, "UPDATE users SET deleted_at = 1");
	run_one(fixture, &write.op);
	assert_refused(&write.op, ERR_UNAUTHORIZED, "session_ended");
	arena_finish(&write.op.arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(names_are_taken_once),
		CASE(the_name_of_a_deleted_person_stays_taken),
		CASE(a_new_password_ends_the_other_sessions),
		CASE(a_password_is_changed_by_who_knows_the_current_one),
		CASE(the_old_password_logs_nobody_in),
		CASE(a_new_name_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
