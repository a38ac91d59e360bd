/* GET /api/v1/conversations/{conversation_id}/messages: a page of history. It is a function of the revision, so a client that holds
 * it is told so, and one that is kept is answered, after the query that every request begins with. */
#include <inttypes.h>

#include "cache.h"
#include "etag.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"
#include "store/messages.h"
#include "store/meta.h"
#include "store/rows.h"

struct page_wish {
	enum message_anchor anchor;
	int64_t seq;
	int64_t limit;
	const char *key; /* what distinguishes this page from the conversation's others */
};

static enum status
read_wish(struct req *req, struct page_wish *ret_wish)
{
	static const struct {
		const char *name;
		enum message_anchor anchor;
	} anchors[] = {
		{"before_seq", MESSAGES_BEFORE},
		{"after_seq", MESSAGES_AFTER},
		{"around_seq", MESSAGES_AROUND},
	};
	struct page_wish wish = {.anchor = MESSAGES_NEWEST};

	for (size_t i = 0; i < sizeof anchors / sizeof anchors[0]; i++) {
		if (!req_query(req, anchors[i].name))
			continue;
		if (wish.anchor != MESSAGES_NEWEST)
			return fault_set(&req->fault, ERR_MALFORMED, "parameters_exclusive", anchors[i].name,
					 "Only one of before_seq, after_seq and around_seq can be given.");
		wish.anchor = anchors[i].anchor;
		TRY(req_query_number(req, anchors[i].name, &wish.seq));
	}
	TRY(req_query_limit(req, &wish.limit));
	wish.key =
		arena_printf(&req->arena, "messages %d %" PRId64 " %" PRId64, (int)wish.anchor, wish.seq, wish.limit);
	*ret_wish = wish;
	return OK;
}

/* All members see the same page, and at one revision a range of it is always the same. */
static const char *
cache_key(struct req *req, const struct head *head, struct message_range range)
{
	return arena_printf(&req->arena, "messages:%s:%s:%" PRId64 ":%" PRId64 "-%" PRId64, req->standing.epoch,
			    head->conversation_id, head->last_rev, range.first, range.last);
}

/* The page as it is now, and the epoch that goes with it: it may be another one than when the request began. */
static enum status
read_present_page(struct req *req, struct db *db, const struct page_wish *wish, struct message_page *ret_page)
{
	CLEANUP_SNAPSHOT struct rows_snapshot snapshot = {0};

	TRY(rows_snapshot_begin(db, &snapshot));
	TRY(meta_epoch(db, req->standing.epoch));
	return messages_page(db, &req->arena, req->standing.head.conversation_id, req->caller.user_id, wish->anchor,
			     wish->seq, wish->limit, ret_page, &req->fault);
}

/* Reads the page. It may have moved since its key was made: then it is answered as it is now, and not kept. */
static enum status
read_page(struct req *req, const struct page_wish *wish, const struct message_page_question *question,
	  struct cache_miss *miss)
{
	const char *etag;
	struct message_page page;
	struct db *db;
	size_t len;
	bool moved;

	TRY(req_db(req, &db));
	TRY(messages_page_at(db, &req->arena, question, &page, &moved));
	if (moved)
		TRY(read_present_page(req, db, wish, &page));
	TRY(etag_make(req, question->head->conversation_id, wish->key, page.last_rev, &etag));
	req_add_header(req, "ETag", etag);

	char *text = json_to_text(message_page_to_json(&page), &len);
	if (!moved)
		cache_keep(miss, text, len);
	return req_reply_text(req, 200, text, len);
}

enum status
op_list_messages(struct req *req)
{
	CLEANUP_CACHE_MISS struct cache_miss miss = {0};
	struct message_page_question question = {.user_id = req->caller.user_id, .epoch = req->standing.epoch};
	char conversation_id[ID_SIZE];
	struct page_wish wish;
	const char *etag;
	char *text;
	size_t len;

	TRY(req_conversation_id(req, conversation_id));
	TRY(read_wish(req, &wish));
	TRY(req_head(req, &question.head));
	TRY(etag_make(req, conversation_id, wish.key, question.head->last_rev, &etag));
	if (etag_is_held(req, etag))
		return etag_reply_not_modified(req, etag);
	question.range = messages_range(wish.anchor, wish.seq, wish.limit, question.head->last_seq);
	if (!cache_find(req->app->cache, cache_key(req, question.head, question.range), &text, &len, &miss))
		return read_page(req, &wish, &question, &miss);
	req_add_header(req, "ETag", etag);
	return req_reply_text(req, 200, text, len);
}
