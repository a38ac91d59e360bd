/* What text may be: UTF-8, lengths in code points, control characters, case folding (libunistring). */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* Whether `len` bytes are well-formed UTF-8 (RFC 3629) without NUL. */
bool text_is_utf8(const char *bytes, size_t len);

/* Length in code points of well-formed UTF-8. */
size_t text_code_points(const char *text);

/* Whether there is a C0 or C1 control character or DEL, other than those in `allowed` (e.g. "\n\t"). */
bool text_has_control(const char *text, const char *allowed);

/* Whether there is a bidirectional control or a character that shows nothing: names that imitate others use them.
 * Joiners are accepted where a script or an emoji needs them (RFC 5892 A.1 and A.2). */
bool text_has_invisible(const char *text);

/* Default case folding and NFKC (Unicode D146), for comparing names; `text` is well-formed UTF-8. Folding a result
 * again changes nothing. The result lives in `arena`. */
char *text_fold(struct arena *arena, const char *text);

/* Whether nothing but white space (Unicode White_Space) and other characters that show as an empty place (U+2800, fillers of
 * Hangul) is in it; also true of "". */
bool text_is_blank(const char *text);

/* Whether it begins with a mark that combines with what stands before: alone it shows nothing, or changes its surroundings. */
bool text_begins_combining(const char *text);

/* The one form of one emoji: a flag, a keycap, or pictographs joined to one (UTS #51), with U+FE0F behind each pictograph that is
 * text without it. NULL when it isn't one; `text` is bytes of any kind. The result lives in `arena`. */
char *text_normalize_emoji(struct arena *arena, const char *text);

/* Decimal digits to an integer from 0 to 2^53 - 1; false for anything else (sign, space, empty, overflow). */
bool text_to_int64(const char *text, long long *ret_value);

/* Decodes %XX (RFC 3986 2.1), and with `plus` + as a space, into `ret_text`, which has room for len + 1 bytes and gets a NUL.
 * False when two hexadecimal digits don't follow a %. */
bool text_percent_decode(const char *bytes, size_t len, bool plus, char *ret_text, size_t *ret_len);

#endif
