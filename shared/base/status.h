/* The one vocabulary of failure: what a function that can fail returns, and the fault that explains a refusal.
 *
 * A status says which kind of thing went wrong; a fault adds the stable code, the field and a sentence for the person
 * who has to do something about it. REST turns a fault into a problem document, WebSocket into an error reply. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

enum status {
	OK = 0,
	ERR_MALFORMED,    /* 400: wrong shape */
	ERR_INVALID,      /* 422: right shape, value out of range */
	ERR_UNAUTHORIZED, /* 401 */
	ERR_FORBIDDEN,    /* 403 */
	ERR_NOT_FOUND,    /* 404 */
	ERR_METHOD,       /* 405 */
	ERR_CONFLICT,     /* 409 */
	ERR_PRECONDITION, /* 412 */
	ERR_TOO_LARGE,    /* 413 */
	ERR_MEDIA_TYPE,   /* 415 */
	ERR_RATE_LIMITED, /* 429 */
	ERR_UNAVAILABLE,  /* 503: a dependency is down or we are full; a retry may succeed */
	ERR_INTERNAL,     /* 500: our bug, or a state of the world we did not expect */
	STATUS__MAX,
};

#define MUST_USE __attribute__((warn_unused_result))

/* Returns early with the status of a call that failed: the only macro here that changes control flow. */
#define TRY(call)                                                                                                      \
	do {                                                                                                           \
		enum status try_status = (call);                                                                       \
		if (try_status != OK)                                                                                  \
			return try_status;                                                                             \
	} while (0)

enum { FAULT_DETAIL_SIZE = 256 };

/* Why something was refused. `code` and `field` are literals; `code` is stable and part of the contract. */
struct fault {
	enum status status;
	const char *code;
	const char *field; /* the key or parameter at fault, or NULL */
	char detail[FAULT_DETAIL_SIZE];
	int64_t retry_after_ms; /* when it may be sent again; 0: not known */
};

/* Fills a fault (which may be NULL). `field` may point into a longer-lived string of the caller; `detail` is cut at
 * FAULT_DETAIL_SIZE - 1 bytes, between code points. */
void fault_fill(struct fault *ret_fault, enum status status, const char *code, const char *field, const char *format,
		...) __attribute__((format(printf, 5, 6)));

static inline enum status
fault_status(enum status status)
{
	return status;
}

/* fault_fill as an expression of `status`, so that a refusal is one return statement (and the compiler sees which). */
#define fault_set(ret_fault, status, ...) (fault_fill((ret_fault), (status), __VA_ARGS__), fault_status(status))

/* The name of a status as it stands in logs: "ok", "malformed", ... */
const char *status_name(enum status status);

/* Whether the same request may succeed when it is sent again unchanged. */
bool status_is_retryable(enum status status);

#endif
