/* For unit tests of writer/accounts: Ada, whose password hash is "$hash", and operations on her log-ins. The tokens of a log-in
 * are named by their hashes. */
#ifndef UNIT_WRITER_ACCOUNTS_FIXTURE_H
#define UNIT_WRITER_ACCOUNTS_FIXTURE_H

#include "support/writing.h"

#include "store/sessions.h"

struct fixture {
	struct test_database *test;
	struct batch_runner runner;
	char ada[ID_SIZE];
	struct write_session write;
};

static inline int
set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	assert_int_equal(test_database_setup((void **)&fixture->test), 0);
	fixture->runner.db = fixture->test->db;
	add_person(fixture->test, "ada", fixture->ada);
	*state = fixture;
	return 0;
}

static inline int
tear_down(void **state)
{
	struct fixture *fixture = *state;

	arena_finish(&fixture->write.op.arena);
	test_database_teardown((void **)&fixture->test);
	free(fixture);
	return 0;
}

static inline void
run_one(struct fixture *fixture, struct write_op *op)
{
	batch_run(&fixture->runner, &op, 1);
	assert_false(db_in_transaction(fixture->test->db));
}

static inline void
make_session(struct login_session *ret_session, const char *user_id, const char *hash)
{
	*ret_session = (struct login_session){
		.user_agent = "test",
		.address = "127.0.0.1",
		.created_at_ms = clock_wall_ms(),
		.last_used_at_ms = clock_wall_ms(),
		.expires_at_ms = clock_wall_ms() + 1000000,
	};
	id_make(ret_session->id);
	memcpy(ret_session->user_id, user_id, ID_SIZE);
	snprintf(ret_session->family_hash, ID_SECRET_SIZE, "family of %s", hash);
	snprintf(ret_session->refresh_hash, ID_SECRET_SIZE, "%s", hash);
}

static inline void
log_in(struct fixture *fixture, const char *hash)
{
	arena_finish(&fixture->write.op.arena);
	fixture->write = (struct write_session){.op.kind = WRITE_CREATE_SESSION};
	make_session(&fixture->write.session, fixture->ada, hash);
	run_one(fixture, &fixture->write.op);
}

static inline void
rotate(struct fixture *fixture, const char *presented_hash, const char *new_hash)
{
	arena_finish(&fixture->write.op.arena);
	fixture->write = (struct write_session){.op.kind = WRITE_ROTATE_SESSION, .presented_hash = presented_hash};
	snprintf(fixture->write.session.family_hash, ID_SECRET_SIZE, "family of h0");
	snprintf(fixture->write.session.refresh_hash, ID_SECRET_SIZE, "%s", new_hash);
	run_one(fixture, &fixture->write.op);
}

static inline void
assert_rotated(struct fixture *fixture, const char *presented_hash, const char *new_hash)
{
	rotate(fixture, presented_hash, new_hash);
	assert_int_equal(fixture->write.op.status, OK);
	assert_string_equal(fixture->write.session.refresh_hash, new_hash);
	assert_string_equal(fixture->write.session.previous_hash, presented_hash);
	assert_string_equal(fixture->write.session.user_id, fixture->ada);
	assert_string_equal(fixture->write.user.username, "ada");
}

static inline void
end_session(struct fixture *fixture, const char *session_id)
{
	struct write_session write = {.op.kind = WRITE_REVOKE_SESSION};

	memcpy(write.session.id, session_id, ID_SIZE);
	memcpy(write.session.user_id, fixture->ada, ID_SIZE);
	run_one(fixture, &write.op);
	assert_int_equal(write.op.status, OK);
	arena_finish(&write.op.arena);
}

static inline int64_t
person_rev(struct fixture *fixture)
{
	return test_database_int64(fixture->test, "SELECT last_rev FROM users WHERE username = 'ada'");
}

static inline int64_t
count(struct fixture *fixture, const char *sql)
{
	return test_database_int64(fixture->test, sql);
}

/* A log-in of anybody's, made past the writer, and who acts with it. Both must outlive the operation. */
static inline void
insert_session(struct fixture *fixture, const char *user_id, const char *hash, struct login_session *ret_session)
{
	make_session(ret_session, user_id, hash);
	check_ok(fixture->test, db_begin(fixture->test->db, DB_WRITE));
	check_ok(fixture->test, sessions_insert(fixture->test->db, ret_session));
	check_ok(fixture->test, db_commit(fixture->test->db, NULL));
}

static inline struct write_actor
acting(const struct login_session *session)
{
	return (struct write_actor){.name = session->user_id,
				    .session_id = session->id,
				    .address = session->address,
				    .request_id = "request-1"};
}

#define OPERATOR ((struct write_actor){.name = "operator:test", .session_id = ""})

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
