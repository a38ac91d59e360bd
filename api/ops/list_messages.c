/* GET /api/v1/conversations/{conversation_id}/messages: a page of history. The page is a function of the revision, so a
 * client that holds it is told so after one query. */
#include <inttypes.h>

#include "etag.h"
#include "ops.gen.h"
#include "req.h"
#include "store/conversations.h"
#include "store/messages.h"

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

enum status
op_list_messages(struct req *req)
{
	char conversation_id[ID_SIZE];
	struct page_wish wish;
	struct message_page page;
	struct head head;
	const char *etag;
	struct db *db;

	TRY(req_conversation_id(req, conversation_id));
	TRY(read_wish(req, &wish));
	TRY(req_db(req, &db));
	TRY(conversations_head(db, conversation_id, req->caller.user_id, &head, &req->fault));
	TRY(etag_make(req, conversation_id, wish.key, head.last_rev, &etag));
	if (etag_is_held(req, etag))
		return etag_reply_not_modified(req, etag);

	TRY(messages_page(db, &req->arena, conversation_id, req->caller.user_id, wish.anchor, wish.seq, wish.limit,
			  &page, &req->fault));
	TRY(etag_make(req, conversation_id, wish.key, page.last_rev, &etag)); /* it may have moved since */
	req_add_header(req, "ETag", etag);
	return req_reply(req, 200, message_page_to_json(&page));
}
