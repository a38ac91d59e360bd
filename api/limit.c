/* The rows of openapi.yaml's x-stonechat-rate. */
#include "limit.h"

#include <inttypes.h>

#include "client_address.h"
#include "rate_limit.h"
#include "req.h"
#include "route.h"

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

enum status
limit_verify_password(struct req *req, const char *who, const char *password, const char *hash)
{
	struct rate_limiter *limiter = req->app->limiter;
	const char *key = arena_printf(&req->arena, "%s %s", address_key(req), who);
	int64_t wait_ms = rate_limit_before_log_in(limiter, key);

	if (wait_ms > 0) {
		req_fail(req, ERR_RATE_LIMITED, "rate_limited",
			 "Too many wrong passwords: wait for Retry-After, then try again.");
		req->fault.retry_after_ms = wait_ms;
		return ERR_RATE_LIMITED;
	}
	enum status status = password_verify(req->app->passwords, password, hash, &req->fault);
	if (status == ERR_UNAUTHORIZED)
		rate_limit_log_in_failed(limiter, key);
	else if (status == OK)
		rate_limit_log_in_succeeded(limiter, key);
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
