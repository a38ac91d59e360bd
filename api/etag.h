/* ETags made of what an answer is a function of (RFC 9110 8.8.3 and 13.1.2). */
#ifndef ETAG_H
#define ETAG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct req;

/* The tag of (form of the JSON, epoch, caller, conversation, page, rev), in the request's arena. */
MUST_USE enum status etag_make(struct req *req, const char *conversation_id, const char *page, int64_t rev,
			       const char **ret_etag);

/* Whether the client holds it already (If-None-Match): names it, or says `*` and takes whatever there is; whether there is anything is
 * the asker's to know. */
bool etag_is_held(const struct req *req, const char *etag);
/* The same without `*`: it was given to them once, so there was something. */
bool etag_is_named(const struct req *req, const char *etag);
/* Whether they hold any. */
bool etag_any_is_held(const struct req *req);

/* Which revision the client wants to change (If-Match): 0 when it doesn't say (no header, or `*`), -1 when none of its tags is
 * one of this page at any revision, else the highest of them. */
MUST_USE enum status etag_wanted_rev(struct req *req, const char *conversation_id, const char *page, int64_t *ret_rev);

/* Answers 304 with the tag. Returns OK. */
enum status etag_reply_not_modified(struct req *req, const char *etag);

/* Answers 200 with the tag and ready JSON in malloc memory, which it takes, or 304 when that is held. Returns OK. */
enum status etag_reply_text(struct req *req, const char *etag, char *text, size_t len);

/* Answers 200 with what no revision names: its tag is of its bytes. 304 when that is held. Takes the json. */
MUST_USE enum status etag_reply(struct req *req, json_t *json);

#endif
