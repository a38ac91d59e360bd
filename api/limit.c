/* The rows of openapi.yaml's x-stonechat-rate. */
#include "limit.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "client_address.h"
#include "rate_limit.h"
#include "req.h"
#include "route.h"
#include "store/sessions.h"

enum { KNOWN_SESSIONS_MAX = 100 };

struct row {
	bool limited;
	enum rate_class class;
};

static const struct row rows[] = {
	[ROUTE_RATE_NONE] = {false, RATE_CLASS_GENERAL},   [ROUTE_RATE_AUTH] = {true, RATE_CLASS_GENERAL},
	[ROUTE_RATE_READ] = {true, RATE_CLASS_GENERAL},    [ROUTE_RATE_WRITE] = {true, RATE_CLASS_GENERAL},
	[ROUTE_RATE_SEND] = {true, RATE_CLASS_SEND},       [ROUTE_RATE_SEARCH] = {true, RATE_CLASS_SEARCH},
	[ROUTE_RATE_SIGN_UP] = {true, RATE_CLASS_SIGN_UP}, [ROUTE_RATE_LOG_IN] = {true, RATE_CLASS_LOG_IN},
};

const char *
limit_address(struct req *req)
{
	char *address = arena_alloc(&req->arena, CLIENT_ADDRESS_SIZE);

	client_address_find(req->app->proxies, req_header(req, "REMOTE_ADDR"), req_header(req, "HTTP_X_FORWARDED_FOR"),
			    address);
	return address;
}

static const char *
address_key(struct req *req)
{
	char *key = arena_alloc(&req->arena, CLIENT_ADDRESS_SIZE);

	client_address_key(limit_address(req), key);
	return key;
}

/* Whether one of the person's devices that are logged in was used from this address; the hundred used last are looked at. */
static enum status
is_known_address(struct req *req, const char *user_id, bool *ret_known)
{
	char session_key[CLIENT_ADDRESS_SIZE];
	const char *key = address_key(req);
	struct login_session *sessions;
	struct db *db;
	size_t n;
	bool more;

	*ret_known = false;
	TRY(req_db(req, &db));
	TRY(sessions_list(db, &req->arena, user_id, clock_wall_ms(), INT64_MAX, "", KNOWN_SESSIONS_MAX, &sessions, &n,
			  &more));
	for (size_t i = 0; i < n && !*ret_known; i++) {
		client_address_key(sessions[i].address ? sessions[i].address : "", session_key);
		*ret_known = key[0] && strcmp(session_key, key) == 0;
	}
	return OK;
}

/* By how many ms the try comes too early; 0: both counts hold it now. Asks the database only when there is something to wait for. */
static enum status
begin_try(struct req *req, const char *key, const char *who, const char *user_id, int64_t *ret_wait_ms)
{
	struct rate_limiter *limiter = req->app->limiter;
	bool is_known = false;
	enum status status = OK;

	*ret_wait_ms = rate_limit_before_log_in(limiter, RATE_FAILURES_OF_ADDRESS, key);
	if (*ret_wait_ms > 0)
		return OK;
	*ret_wait_ms = rate_limit_before_log_in(limiter, RATE_FAILURES_OF_NAME, who);
	if (*ret_wait_ms == 0)
		return OK;
	status = is_known_address(req, user_id, &is_known);
	if (is_known) {
		rate_limit_log_in_anyway(limiter, RATE_FAILURES_OF_NAME, who);
		*ret_wait_ms = 0;
	} else {
		rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_ADDRESS, key, RATE_TRY_NOT_MADE);
	}
	return status;
}

enum status
limit_verify_password(struct req *req, const char *who, const char *user_id, const char *password, const char *hash)
{
	struct rate_limiter *limiter = req->app->limiter;
	const char *key = arena_printf(&req->arena, "%s %s", address_key(req), who);
	int64_t wait_ms;

	TRY(begin_try(req, key, who, user_id, &wait_ms));
	if (wait_ms > 0) {
		req_fail(req, ERR_RATE_LIMITED, "rate_limited",
			 "Too many wrong passwords: wait for Retry-After, then try again.");
		req->fault.retry_after_ms = wait_ms;
		return ERR_RATE_LIMITED;
	}
	enum status status = password_verify(req->app->passwords, password, hash, &req->fault);
	enum rate_try_end end = status == OK                 ? RATE_TRY_RIGHT
				: status == ERR_UNAUTHORIZED ? RATE_TRY_WRONG
							     : RATE_TRY_NOT_MADE;
	rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_ADDRESS, key, end);
	rate_limit_log_in_ended(limiter, RATE_FAILURES_OF_NAME, who, end);
	return status;
}

enum status
limit_check(struct req *req)
{
	const struct row *row = &rows[req->route->rate];

	req->limit.allowed = true;
	if (!row->limited || !req->app->limiter)
		return OK;
	rate_limit_take(req->app->limiter, row->class, req->caller.user_id[0] ? req->caller.user_id : address_key(req),
			&req->limit);
	return rate_limit_refusal(&req->limit, &req->fault);
}

/* In whole seconds, never too few. */
static void
add_seconds(struct req *req, const char *name, int64_t ms)
{
	req_add_header(req, name, arena_printf(&req->arena, "%" PRId64, (ms + 999) / 1000));
}

void
limit_add_headers(struct req *req)
{
	if (req->limit.limit > 0) {
		req_add_header(req, "RateLimit-Limit", arena_printf(&req->arena, "%" PRId64, req->limit.limit));
		req_add_header(req, "RateLimit-Remaining", arena_printf(&req->arena, "%" PRId64, req->limit.remaining));
		add_seconds(req, "RateLimit-Reset", req->limit.reset_ms);
	}
	if (req->http_status == 429 && req->fault.retry_after_ms > 0)
		add_seconds(req, "Retry-After", req->fault.retry_after_ms);
	else if (req->http_status == 503 || req->http_status == 429)
		req_add_header(req, "Retry-After", "1");
}
