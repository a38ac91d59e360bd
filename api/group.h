/* What the operations on groups have in common: people named in a body or path, and the writer's answer. */
#ifndef GROUP_H
#define GROUP_H

#include "base/status.h"
#include "writer/writer.h"

struct req;

/* Begins an operation of the caller on the conversation of the path. ERR_NOT_FOUND for what cannot be an id. */
MUST_USE enum status group_begin(struct req *req, enum group_action action, struct write_group *ret_write);

/* The person of the path, `me` for the caller. ERR_NOT_FOUND (member_not_found) for what cannot be an id. */
MUST_USE enum status group_person(struct req *req, struct write_group *write);

/* The people of the body's array `field`: UUIDs, at most CONVERSATION_ADDED_MAX, each once. `array` NULL: nobody. */
MUST_USE enum status group_people(struct req *req, const json_t *array, const char *field, struct write_group *write);

/* Runs it; the request has the fault of a refusal. The results live as long as the request. */
MUST_USE enum status group_run_write(struct req *req, struct write_group *write);

/* Answers the conversation as the caller sees it now. */
MUST_USE enum status group_reply(struct req *req, int http_status, const char *conversation_id);

/* Answers {items: [members that have changed]}. */
enum status group_reply_members(struct req *req, const struct write_group *write);

#endif
