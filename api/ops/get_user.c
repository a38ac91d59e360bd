/* GET /api/v1/users/{user_id}. What is shown of a person is a function of the stamp of the names, so one who is held or kept is
 * answered after the query that every request begins with. */
#include <string.h>

#include "cache.h"
#include "etag.h"
#include "head_tag.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"
#include "store/users.h"

/* Everybody sees the same. */
static const char *
cache_key(struct req *req, const char *user_id)
{
	return arena_printf(&req->arena, "user:%s:%s:%s", req->standing.epoch, req->standing.names, user_id);
}

/* Reads the person. They may be called something else since the key was made: then they are answered, and not kept. */
static enum status
read_person(struct req *req, const char *user_id, const struct cache_miss *miss, char **ret_text, size_t *ret_len)
{
	const struct standing *standing = &req->standing;
	struct stamped_user found;
	struct db *db;

	TRY(req_db(req, &db));
	TRY(users_get_stamped(db, &req->arena, user_id, &found, &req->fault));
	*ret_text = json_to_text(user_to_json(&found.user), ret_len);
	if (strcmp(found.epoch, standing->epoch) == 0 && strcmp(found.names, standing->names) == 0)
		cache_keep(miss, *ret_text, *ret_len);
	return OK;
}

enum status
op_get_user(struct req *req)
{
	CLEANUP_CACHE_MISS struct cache_miss miss = {0};
	char user_id[ID_SIZE];
	const char *etag;
	char *text;
	size_t len;

	if (!id_normalize(req_path(req, "user_id"), user_id))
		return req_fail(req, ERR_NOT_FOUND, "user_not_found", "There is no such person.");
	TRY(head_tag_person(req, user_id, "", &etag));
	if (etag_is_named(req, etag))
		return etag_reply_not_modified(req, etag);
	if (!cache_find(req->app->cache, cache_key(req, user_id), &text, &len, &miss))
		TRY(read_person(req, user_id, &miss, &text, &len));
	return etag_reply_text(req, etag, text, len);
}
