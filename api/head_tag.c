/* Tags of heads and people: see head_tag.h.
 *
 * The stamp of the names is read before the rows. So it may be older than these, and a tag that nobody asks for again be given; what
 * is held under the present one has its names. */
#include "head_tag.h"

#include <inttypes.h>

#include "base/buf.h"
#include "etag.h"
#include "req.h"

enum status
head_tag_conversations(struct req *req, const char *view, const struct conversation_state *states, size_t n_states,
		       const char **ret_etag)
{
	CLEANUP(buf_finish) struct buf page = {0};
	int64_t last_rev = n_states == 1 ? states[0].last_rev : 0;
	bool fits = buf_printf(&page, "%s\n%s", view, req->standing.names);

	for (size_t i = 0; i < n_states; i++)
		fits = fits && buf_printf(&page, "\n%s %" PRId64 " %" PRId64 " %" PRId64, states[i].id,
					  states[i].last_rev, states[i].user_rev, states[i].cursors);
	if (!fits)
		abort(); /* it has no bound */
	return etag_make(req, "", page.bytes, last_rev, ret_etag);
}

enum status
head_tag_person(struct req *req, const char *user_id, const char *more, const char **ret_etag)
{
	const char *page = arena_printf(&req->arena, "person %s %s\n%s", user_id, more, req->standing.names);

	return etag_make(req, "", page, 0, ret_etag);
}
