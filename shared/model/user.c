/* People: what a username and a display name may be, and how a person is shown.
 *
 * A username is compared by its key, in which the characters that are easily taken for one another are the same. */
#include "model/user.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

enum { USERNAME_INPUT_MAX = 4 * USERNAME_MAX }; /* bytes before folding: bounds the work, not the name */

static bool
is_alphanumeric(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool
is_separator(char c)
{
	return c == '_' || c == '.' || c == '-';
}

static bool
is_username(const char *text)
{
	size_t len = strlen(text);

	if (len < USERNAME_MIN || len > USERNAME_MAX)
		return false;
	if (!is_alphanumeric(text[0]) || !is_alphanumeric(text[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_alphanumeric(text[i]) && !is_separator(text[i]))
			return false;
		if (is_separator(text[i]) && is_separator(text[i + 1]))
			return false;
	}
	return true;
}

static const char *
make_key(struct arena *arena, const char *username)
{
	char *key = arena_alloc(arena, strlen(username) + 1);
	size_t len = 0;

	for (const char *c = username; *c; c++) {
		if (is_separator(*c))
			continue;
		key[len++] = *c == '0' ? 'o' : *c == '1' ? 'l' : *c;
	}
	return key;
}

enum status
user_name_check(struct arena *arena, const char *username, const char **ret_username, const char **ret_key,
		struct fault *ret_fault)
{
	const char *folded = NULL;
	size_t len = strlen(username);

	if (len <= USERNAME_INPUT_MAX && text_is_utf8(username, len))
		folded = text_fold(arena, username);
	if (!folded || !is_username(folded))
		return fault_set(
			ret_fault, ERR_INVALID, "username_invalid", "username",
			"A username is %d to %d of the letters a to z, digits, and _ . - (these not first, not "
			"last and not side by side).",
			USERNAME_MIN, USERNAME_MAX);
	*ret_username = folded;
	*ret_key = make_key(arena, folded);
	return OK;
}

enum status
user_new_name_check(struct arena *arena, const char *username, const char **ret_username, const char **ret_key,
		    struct fault *ret_fault)
{
	const char *folded, *key;

	TRY(user_name_check(arena, username, &folded, &key, ret_fault));
	if (strcmp(key, "deleted") == 0 || strcmp(key, "deleteduser") == 0)
		return fault_set(ret_fault, ERR_INVALID, "username_invalid", "username",
				 "This username reads like somebody who was deleted; choose another one.");
	*ret_username = folded;
	*ret_key = key;
	return OK;
}

/* Whether it reads like the name of those who were deleted: in any case, form and spacing. */
static bool
is_name_of_deleted(const char *display_name)
{
	CLEANUP(arena_finish) struct arena arena = {0};
	char *folded = text_fold(&arena, display_name);
	size_t len = 0;

	for (const char *c = folded; *c; c++)
		if (*c != ' ')
			folded[len++] = *c;
	folded[len] = '\0';
	return strcmp(folded, "deleteduser") == 0;
}

enum status
user_display_name_check(const char *display_name, struct fault *ret_fault)
{
	const char *problem = NULL;

	if (!text_is_utf8(display_name, strlen(display_name)))
		problem = "is not valid UTF-8";
	else if (text_is_blank(display_name))
		problem = "must not be blank";
	else if (text_code_points(display_name) > DISPLAY_NAME_MAX)
		problem = "is longer than 64 characters";
	else if (text_has_control(display_name, ""))
		problem = "must not hold control characters";
	else if (text_has_invisible(display_name))
		problem = "must not hold invisible or direction-changing characters";
	else if (text_begins_combining(display_name))
		problem = "must not begin with a combining mark";
	else if (is_name_of_deleted(display_name))
		problem = "is what people are shown as who were deleted; choose another one";
	if (problem)
		return fault_set(ret_fault, ERR_INVALID, "display_name_invalid", "display_name", "The display name %s.",
				 problem);
	return OK;
}

json_t *
user_to_json(const struct user *user)
{
	return json_pack("{s:s, s:s, s:s}", "id", user->id, "username", user->username, "display_name",
			 user->display_name);
}

json_t *
me_to_json(const struct user *user)
{
	char created_at[CLOCK_TEXT_SIZE];
	json_t *json = user_to_json(user);

	clock_format(user->created_at_ms, created_at);
	json_object_set_new(json, "role", json_string(user->role));
	json_object_set_new(json, "created_at", json_string(created_at));
	json_object_set_new(json, "must_change_password", json_boolean(user->must_change_password));
	return json;
}

static json_t *
time_to_json(int64_t at_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (!at_ms)
		return json_null();
	clock_format(at_ms, text);
	return json_string(text);
}

json_t *
account_to_json(const struct user *user)
{
	json_t *json = me_to_json(user);
	const char *state = user->deleted_at_ms ? "deleted" : user->disabled_at_ms ? "disabled" : "active";

	json_object_set_new(json, "state", json_string(state));
	json_object_set_new(json, "disabled_at", time_to_json(user->disabled_at_ms));
	json_object_set_new(json, "deleted_at", time_to_json(user->deleted_at_ms));
	return json;
}
