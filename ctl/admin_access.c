/* stonechat admin: who may sign up, and the audit. */
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "base/clock.h"
#include "base/text.h"
#include "json.h"
#include "store/audit.h"
#include "store/invites.h"
#include "store/meta.h"

enum { LIMIT_DEFAULT = 50, DAYS_DEFAULT = 7, DAYS_MAX = 365, NOTE_MAX = 200 };
static const int64_t DAY_MS = 24LL * 3600 * 1000;

static int64_t
limit(const struct admin *admin)
{
	return admin->limit ? admin->limit : LIMIT_DEFAULT;
}

static enum status
check_invite(struct admin *admin)
{
	const char *note = admin->note;

	if (admin->days > DAYS_MAX)
		return fault_set(&admin->fault, ERR_INVALID, "days", NULL, "--days is from 1 to %d.", DAYS_MAX);
	if (note && (!text_is_utf8(note, strlen(note)) || text_code_points(note) > NOTE_MAX ||
		     text_has_control(note, "") || text_has_invisible(note)))
		return fault_set(&admin->fault, ERR_INVALID, "note", NULL,
				 "--note has at most %d characters, and none that control or are invisible.", NOTE_MAX);
	return OK;
}

enum status
admin_invite(struct admin *admin)
{
	struct write_admission write = {.op.kind = WRITE_ADMISSION, .act = ADMISSION_INVITE, .by = admin->by};
	struct invite *invite = &write.invite;
	char code[ID_CODE_SIZE];

	TRY(check_invite(admin));
	id_make_code(code);
	id_make(invite->id);
	id_hash_secret(code, strlen(code), invite->code_hash);
	invite->note = admin->note;
	invite->created_by = admin->by.name;
	invite->created_at_ms = clock_wall_ms();
	invite->expires_at_ms = invite->created_at_ms + (admin->days ? admin->days : DAYS_DEFAULT) * DAY_MS;
	enum status status = admin_write(admin, &write.op);
	arena_finish(&write.op.arena);
	TRY(status);
	if (admin->json) {
		json_t *json = invite_to_json(invite, invite->created_at_ms);

		json_object_set_new(json, "code", json_string(code));
		admin_print_json(json);
		return OK;
	}
	printf("%s\n", code);
	fprintf(stderr, "Good for one person until %s (invite %s).\n", admin_time(admin, invite->expires_at_ms),
		invite->id);
	return OK;
}

enum status
admin_invites(struct admin *admin)
{
	int64_t now_ms = clock_wall_ms();
	struct invite *invites;
	size_t n;
	bool more;

	TRY(invites_list(admin->db, &admin->arena, NULL, limit(admin), &invites, &n, &more));
	for (size_t i = 0; i < n; i++) {
		CLEANUP_JSON json_t *json = invite_to_json(&invites[i], now_ms);

		if (admin->json)
			admin_print_json(json_incref(json));
		else
			printf("%s  %-8s until %s  %s%s%s\n", invites[i].id,
			       json_string_value(json_object_get(json, "state")),
			       admin_time(admin, invites[i].expires_at_ms), invites[i].note ? invites[i].note : "",
			       invites[i].used_by[0] ? "  used by " : "", invites[i].used_by);
	}
	return OK;
}

enum status
admin_revoke_invite(struct admin *admin)
{
	struct write_admission write = {.op.kind = WRITE_ADMISSION, .act = ADMISSION_REVOKE, .by = admin->by};

	if (!id_normalize(admin->argument, write.invite.id))
		return fault_set(&admin->fault, ERR_INVALID, "invite_id", NULL,
				 "%.40s is not the id of an invite: `stonechat admin invites` shows them.",
				 admin->argument);
	enum status status = admin_write(admin, &write.op);
	arena_finish(&write.op.arena);
	return status;
}

/* Prints what holds, and whether that is set here or by auth.sign_up. */
static enum status
print_sign_up(struct admin *admin)
{
	char set[META_SIGN_UP_SIZE];

	TRY(meta_sign_up(admin->db, set));
	bool by_setting = strcmp(set, "default") == 0;
	const char *mode = by_setting ? admin->config->auth_sign_up : set;
	if (admin->json)
		admin_print_json(json_pack("{s:s, s:b}", "sign_up", mode, "by_setting", by_setting));
	else
		printf("%s%s\n", mode, by_setting ? " (by the setting auth.sign_up)" : "");
	return OK;
}

enum status
admin_sign_up(struct admin *admin)
{
	struct write_admission write = {.op.kind = WRITE_ADMISSION,
					.act = ADMISSION_SIGN_UP,
					.by = admin->by,
					.sign_up = admin->argument};

	if (!admin->argument)
		return print_sign_up(admin);
	if (!meta_sign_up_is_known(admin->argument))
		return fault_set(&admin->fault, ERR_INVALID, "sign_up", NULL,
				 "It is open, invite, closed, or default for what auth.sign_up says.");
	enum status status = admin_write(admin, &write.op);
	arena_finish(&write.op.arena);
	TRY(status);
	return print_sign_up(admin);
}

enum status
admin_audit(struct admin *admin)
{
	struct audit_filter filter = {
		admin->actor ? admin->actor : "",
		admin->action ? admin->action : "",
		admin->target ? admin->target : "",
	};
	struct audit_entry *entries;
	size_t n;
	bool more;

	TRY(audit_list(admin->db, &admin->arena, &filter, NULL, limit(admin), &entries, &n, &more));
	for (size_t i = 0; i < n; i++) {
		const struct audit_entry *entry = &entries[i];

		if (admin->json)
			admin_print_json(audit_entry_to_json(entry));
		else
			printf("%s  %-22s %s%s%s  %s\n", admin_time(admin, entry->at_ms), entry->action, entry->actor,
			       entry->address ? " from " : "", entry->address ? entry->address : "",
			       entry->target ? entry->target : "");
	}
	return OK;
}
