/* Names and properties of statuses, and the filling of faults. It writes no answers: REST and WebSocket do that. */
#include "base/status.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[STATUS__MAX] = {
	[OK] = "ok",
	[ERR_MALFORMED] = "malformed",
	[ERR_INVALID] = "invalid",
	[ERR_UNAUTHORIZED] = "unauthorized",
	[ERR_FORBIDDEN] = "forbidden",
	[ERR_NOT_FOUND] = "not_found",
	[ERR_METHOD] = "method",
	[ERR_CONFLICT] = "conflict",
	[ERR_PRECONDITION] = "precondition",
	[ERR_TOO_LARGE] = "too_large",
	[ERR_MEDIA_TYPE] = "media_type",
	[ERR_RATE_LIMITED] = "rate_limited",
	[ERR_UNAVAILABLE] = "unavailable",
	[ERR_INTERNAL] = "internal",
};

/* A cut inside a UTF-8 sequence would make the whole detail unfit for JSON. */
static void
drop_partial_sequence(char *text)
{
	size_t len = strlen(text);
	size_t start = len;
	unsigned char lead;
	size_t needed;

	while (start > 0 && len - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	lead = (unsigned char)text[start - 1];
	needed = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (len - (start - 1) < needed)
		text[start - 1] = '\0';
}

void
fault_fill(struct fault *ret_fault, enum status status, const char *code, const char *field, const char *format, ...)
{
	va_list args;
	int len;

	if (ret_fault == NULL)
		return;
	ret_fault->status = status;
	ret_fault->code = code;
	ret_fault->field = field;
	ret_fault->retry_after_ms = 0;
	va_start(args, format);
	len = vsnprintf(ret_fault->detail, sizeof ret_fault->detail, format, args);
	va_end(args);
	if (len >= (int)sizeof ret_fault->detail)
		drop_partial_sequence(ret_fault->detail);
}

const char *
status_name(enum status status)
{
	assert(status < STATUS__MAX);
	return names[status];
}

bool
status_is_retryable(enum status status)
{
	return status == ERR_RATE_LIMITED || status == ERR_UNAVAILABLE;
}
