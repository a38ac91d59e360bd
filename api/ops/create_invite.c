/* POST /api/v1/admin/invites: a code by which one person may sign up; it is shown this once. */
#include <inttypes.h>
#include <string.h>

#include "admin.h"
#include "base/clock.h"
#include "base/text.h"
#include "json.h"
#include "ops.gen.h"
#include "req.h"

enum { EXPIRES_DEFAULT_S = 7 * 24 * 3600, EXPIRES_MIN_S = 60, EXPIRES_MAX_S = 365 * 24 * 3600, NOTE_MAX = 200 };

static enum status
read_invite(struct req *req, struct invite *invite)
{
	int64_t expires_in_s = EXPIRES_DEFAULT_S;
	const struct json_field fields[] = {
		{"note", JSON_KIND_TEXT, false, &invite->note},
		{"expires_in", JSON_KIND_INT, false, &expires_in_s},
	};

	TRY(json_decode(req->body, fields, sizeof fields / sizeof fields[0], &req->arena, &req->fault));
	if (invite->note && (text_code_points(invite->note) > NOTE_MAX || text_has_control(invite->note, "") ||
			     text_has_invisible(invite->note)))
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "note",
				 "note has at most %d characters, and none that control or are invisible.", NOTE_MAX);
	if (expires_in_s < EXPIRES_MIN_S || expires_in_s > EXPIRES_MAX_S)
		return fault_set(&req->fault, ERR_INVALID, "out_of_range", "expires_in",
				 "expires_in is from %d to %d seconds.", EXPIRES_MIN_S, EXPIRES_MAX_S);
	invite->created_at_ms = clock_wall_ms();
	invite->expires_at_ms = invite->created_at_ms + expires_in_s * 1000;
	return OK;
}

enum status
op_create_invite(struct req *req)
{
	struct write_admission write = {.op.kind = WRITE_ADMISSION, .act = ADMISSION_INVITE};
	char code[ID_CODE_SIZE];

	TRY(admin_check(req));
	TRY(read_invite(req, &write.invite));
	admin_actor(req, &write.by);
	id_make_code(code);
	id_make(write.invite.id);
	id_hash_secret(code, strlen(code), write.invite.code_hash);
	write.invite.created_by = write.by.name;

	enum status status = admin_run(req, &write.op);
	if (status == OK) {
		json_t *json = invite_to_json(&write.invite, write.invite.created_at_ms);

		json_object_set_new(json, "code", json_string(code));
		status = req_reply(req, 201, json);
	}
	arena_finish(&write.op.arena);
	return status;
}
