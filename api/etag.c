/* Conditional requests. */
#include "etag.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "json.h"
#include "metrics.h"
#include "model/form.h"
#include "req.h"
#include "store/meta.h"

/* Read once a request (else with its first query), before the page: an old page under the tag of a new epoch would be taken for the present as soon as
 * the new history has come to the same revision. */
static enum status
read_epoch(struct req *req)
{
	struct db *db;

	TRY(req_db(req, &db));
	return meta_epoch(db, req->standing.epoch);
}

enum status
etag_make(struct req *req, const char *conversation_id, const char *page, int64_t rev, const char **ret_etag)
{
	char digest[ID_DIGEST_SIZE];

	if (!req->standing.epoch[0])
		TRY(read_epoch(req));

	const char *const parts[] = {MODEL_FORM, req->standing.epoch, req->caller.user_id, conversation_id, page};
	id_digest(parts, sizeof parts / sizeof parts[0], digest);
	*ret_etag = arena_printf(&req->arena, "\"%" PRId64 ".%s\"", rev, digest);
	return OK;
}

bool
etag_is_named(const struct req *req, const char *etag)
{
	const char *held = req_header(req, "HTTP_IF_NONE_MATCH");
	size_t etag_len = strlen(etag);

	while (held && *held) {
		held += strspn(held, " \t,");
		size_t len = strcspn(held, " \t,");

		if (len > 2 && strncmp(held, "W/", 2) == 0) {
			held += 2;
			len -= 2;
		}
		if (len == etag_len && memcmp(held, etag, len) == 0)
			return true;
		held += len;
	}
	return false;
}

bool
etag_is_held(const struct req *req, const char *etag)
{
	return etag_is_named(req, etag) || etag_is_named(req, "*");
}

bool
etag_any_is_held(const struct req *req)
{
	return req_header(req, "HTTP_IF_NONE_MATCH") != NULL;
}

enum status
etag_reply_not_modified(struct req *req, const char *etag)
{
	metrics_add(METRIC_HTTP_NOT_MODIFIED, 1);
	req_add_header(req, "ETag", etag);
	return req_reply_empty(req, 304);
}

enum status
etag_reply_text(struct req *req, const char *etag, char *text, size_t len)
{
	if (etag_is_held(req, etag)) {
		free(text);
		return etag_reply_not_modified(req, etag);
	}
	req_add_header(req, "ETag", etag);
	return req_reply_text(req, 200, text, len);
}

enum status
etag_reply(struct req *req, json_t *json)
{
	const char *etag;
	size_t len;
	char *text = json_to_text(json, &len);
	enum status status = etag_make(req, "", text, 0, &etag);

	if (status == OK)
		return etag_reply_text(req, etag, text, len);
	free(text);
	return status;
}

/* The revision that a tag of ours begins with; -1 for any other. */
static int64_t
rev_of(const char *tag)
{
	char digits[20];
	size_t len = tag[0] == '"' ? strspn(tag + 1, "0123456789") : 0;
	long long rev;

	if (len == 0 || len >= sizeof digits || tag[1 + len] != '.')
		return -1;
	memcpy(digits, tag + 1, len);
	digits[len] = '\0';
	return text_to_int64(digits, &rev) ? rev : -1;
}

enum status
etag_wanted_rev(struct req *req, const char *conversation_id, const char *page, int64_t *ret_rev)
{
	const char *wanted = req_header(req, "HTTP_IF_MATCH"), *current;

	*ret_rev = wanted ? -1 : 0;
	while (wanted && *wanted) {
		wanted += strspn(wanted, " \t,");
		size_t len = strcspn(wanted, " \t,");
		int64_t rev = rev_of(wanted);

		if (len == 1 && wanted[0] == '*') {
			*ret_rev = 0;
			return OK;
		}
		if (rev > *ret_rev) {
			TRY(etag_make(req, conversation_id, page, rev, &current));
			if (strlen(current) == len && memcmp(current, wanted, len) == 0)
				*ret_rev = rev;
		}
		wanted += len;
	}
	return OK;
}
