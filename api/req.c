/* Reading what a request says and keeping what is answered. */
#include "req.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "json.h"
#include "log.h"

void
req_begin(struct req *req, struct app *app, struct reader *reader, const char *const *params)
{
	struct arena arena = req->arena;

	*req = (struct req){.app = app, .reader = reader, .arena = arena, .params = params};
}

void
req_end(struct req *req)
{
	json_decref(req->body);
	req->body = NULL;
	free(req->reply_bytes);
	req->reply_bytes = NULL;
	arena_reset(&req->arena);
}

const char *
req_param(const struct req *req, const char *name)
{
	size_t len = strlen(name);

	for (const char *const *param = req->params; *param; param++) {
		if (strncmp(*param, name, len) == 0 && (*param)[len] == '=')
			return *param + len + 1;
	}
	return NULL;
}

const char *
req_header(const struct req *req, const char *name)
{
	const char *value = req_param(req, name);

	return value && value[0] ? value : NULL;
}

static const char *
find_pair(const struct uri_pair *pairs, size_t n_pairs, const char *name)
{
	for (size_t i = 0; i < n_pairs; i++) {
		if (strcmp(pairs[i].name, name) == 0)
			return pairs[i].value;
	}
	return NULL;
}

const char *
req_path(const struct req *req, const char *name)
{
	const char *value = find_pair(req->path_pairs, req->n_path_pairs, name);

	assert(value);
	return value;
}

static enum status
no_such_conversation(struct req *req)
{
	return req_fail(req, ERR_NOT_FOUND, "conversation_not_found", "There is no such conversation.");
}

enum status
req_conversation_id(struct req *req, char ret_id[ID_SIZE])
{
	return id_normalize(req_path(req, "conversation_id"), ret_id) ? OK : no_such_conversation(req);
}

bool
req_about_conversation(const struct req *req, char ret_id[ID_SIZE])
{
	const char *id = find_pair(req->path_pairs, req->n_path_pairs, "conversation_id");

	return id && id_normalize(id, ret_id);
}

enum status
req_head(struct req *req, const struct head **ret_head)
{
	if (!req->standing.head.conversation_id[0])
		return no_such_conversation(req);
	*ret_head = &req->standing.head;
	return OK;
}

const char *
req_query(const struct req *req, const char *name)
{
	return find_pair(req->query_pairs, req->n_query_pairs, name);
}

enum status
req_query_number(struct req *req, const char *name, int64_t *number)
{
	const char *text = req_query(req, name);
	long long value;

	if (!text)
		return OK;

	bool negative = text[0] == '-';
	if (!text_to_int64(text + negative, &value))
		return fault_set(&req->fault, ERR_MALFORMED, "not_a_number", name, "%s is not an integer below 2^53.",
				 name);
	if (negative && value != 0)
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", name, "%s must not be below 0.", name);
	*number = value;
	return OK;
}

enum status
req_query_limit(struct req *req, int64_t *ret_limit)
{
	int64_t limit = REQ_LIMIT_DEFAULT;

	TRY(req_query_number(req, "limit", &limit));
	if (limit < 1 || limit > REQ_LIMIT_MAX)
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "limit", "limit is from 1 to %d.",
				 REQ_LIMIT_MAX);
	*ret_limit = limit;
	return OK;
}

enum status
req_idempotency_key(struct req *req, struct message_draft *draft)
{
	const char *key = req_param(req, "HTTP_IDEMPOTENCY_KEY");
	char id[ID_SIZE];

	if (!key)
		return OK;
	if (!id_normalize(key, id))
		return fault_set(&req->fault, ERR_MALFORMED, "idempotency_key_invalid", "Idempotency-Key",
				 "Idempotency-Key must be a UUID; choose one for each message.");
	if (draft->id_key && strcmp(draft->id, id) != 0)
		return fault_set(&req->fault, ERR_INVALID, "idempotency_key_differs", "id",
				 "id and Idempotency-Key name different messages.");
	memcpy(draft->id, id, ID_SIZE);
	if (!draft->id_key)
		draft->id_key = "Idempotency-Key";
	return OK;
}

enum status
req_db(struct req *req, struct db **ret_db)
{
	struct fault fault = {0};

	if (reader_db(req->reader, req->app->config->database_url, ret_db, &fault) == OK)
		return OK;
	log_error("database", LOG_S("request_id", req->request_id), LOG_S("detail", fault.detail));
	return req_fail(req, ERR_UNAVAILABLE, "database_unavailable", "The database cannot be reached.");
}

enum status
req_reply_text(struct req *req, int http_status, char *text, size_t len)
{
	assert(!req->http_status);
	req->http_status = http_status;
	req->content_type = "application/json";
	req->reply_bytes = text;
	req->reply_len = len;
	return OK;
}

enum status
req_reply(struct req *req, int http_status, json_t *json)
{
	size_t len;
	char *text = json_to_text(json, &len);

	return req_reply_text(req, http_status, text, len);
}

enum status
req_reply_empty(struct req *req, int http_status)
{
	assert(!req->http_status);
	req->http_status = http_status;
	return OK;
}

enum status
req_fail(struct req *req, enum status status, const char *code, const char *detail)
{
	return fault_set(&req->fault, status, code, NULL, "%s", detail);
}

bool
req_has_header(const struct req *req, const char *name)
{
	return find_pair(req->headers, req->n_headers, name) != NULL;
}

void
req_add_header(struct req *req, const char *name, const char *value)
{
	assert(req->n_headers < REQ_HEADERS_MAX);
	assert(!strpbrk(value, "\r\n"));
	req->headers[req->n_headers++] = (struct uri_pair){name, arena_strdup(&req->arena, value)};
}
