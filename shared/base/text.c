/* Rules for text that people write, by libunistring's Unicode tables. Lengths and ranges are the callers' business. */
#include "base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

enum { ZERO_WIDTH_NON_JOINER = 0x200c, ZERO_WIDTH_JOINER = 0x200d, EMOJI_PRESENTATION = 0xfe0f };

static const long long INT53_MAX = (1LL << 53) - 1;

bool
text_is_utf8(const char *bytes, size_t len)
{
	return len == 0 || (memchr(bytes, '\0', len) == NULL && u8_check((const uint8_t *)bytes, len) == NULL);
}

size_t
text_code_points(const char *text)
{
	return u8_mbsnlen((const uint8_t *)text, strlen(text));
}

bool
text_has_control(const char *text, const char *allowed)
{
	for (const unsigned char *byte = (const unsigned char *)text; *byte != '\0'; byte++) {
		bool c0 = (*byte < 0x20 || *byte == 0x7f) && strchr(allowed, *byte) == NULL;
		bool c1 = byte[0] == 0xc2 && byte[1] >= 0x80 && byte[1] < 0xa0; /* U+0080 to U+009F */

		if (c0 || c1)
			return true;
	}
	return false;
}

/* A joiner after a letter that joins (Persian, Arabic), after a virama (Indic scripts; RFC 5892 A.1, A.2) or inside an
 * emoji changes what is seen, so it cannot be used to imitate. */
static bool
is_needed_joiner(ucs4_t code_point, ucs4_t before)
{
	int joining = uc_joining_type(before);
	bool emoji = uc_is_property_extended_pictographic(before) || uc_is_property_emoji_modifier(before) ||
		     before == EMOJI_PRESENTATION;

	switch (code_point) {
	case ZERO_WIDTH_NON_JOINER:
		return joining == UC_JOINING_TYPE_D || joining == UC_JOINING_TYPE_L ||
		       uc_combining_class(before) == UC_CCC_VR;
	case ZERO_WIDTH_JOINER:
		return emoji || uc_combining_class(before) == UC_CCC_VR;
	case EMOJI_PRESENTATION:
		return uc_is_property_extended_pictographic(before);
	default:
		return false;
	}
}

bool
text_has_invisible(const char *text)
{
	const uint8_t *rest = (const uint8_t *)text;
	ucs4_t before = 0;
	ucs4_t code_point;

	while ((rest = u8_next(&code_point, rest)) != NULL) {
		bool invisible = uc_is_property_bidi_control(code_point) ||
				 uc_is_property_default_ignorable_code_point(code_point);

		if (invisible && !is_needed_joiner(code_point, before))
			return true;
		before = code_point;
	}
	return false;
}

char *
text_fold(struct arena *arena, const char *text)
{
	size_t len = strlen(text);
	uint8_t *folded;
	char *result;

	if (len == 0)
		return arena_strdup(arena, "");
	/* With NFKC as the form, libunistring decomposes by compatibility before it folds, as D146 asks. */
	folded = u8_casefold((const uint8_t *)text, len, NULL, UNINORM_NFKC, NULL, &len);
	if (folded == NULL)
		abort(); /* out of memory, or a caller that did not check for UTF-8 */
	result = arena_memdup(arena, folded, len);
	free(folded);
	return result;
}

bool
text_is_blank(const char *text)
{
	const uint8_t *rest = (const uint8_t *)text;
	ucs4_t code_point;

	while ((rest = u8_next(&code_point, rest)) != NULL) {
		if (!uc_is_property_white_space(code_point))
			return false;
	}
	return true;
}

bool
text_to_int64(const char *text, long long *ret_value)
{
	long long value = 0;

	if (text == NULL || *text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		value = value * 10 + (*text - '0');
		if (value > INT53_MAX)
			return false;
	}
	*ret_value = value;
	return true;
}

enum { KEYCAP = 0x20e3, CODE_POINTS_OF_EMOJI_MAX = 32 };

static bool
is_flag_letter(ucs4_t c)
{
	return c >= 0x1f1e6 && c <= 0x1f1ff;
}

static bool
is_tag(ucs4_t c)
{
	return c >= 0xe0020 && c <= 0xe007f;
}

/* One pictograph with its style or skin tone and tags; returns what follows it, NULL when there is none. The text ends by 0. */
static const ucs4_t *
skip_pictograph(const ucs4_t *at)
{
	if (!uc_is_property_extended_pictographic(*at))
		return NULL;
	at++;
	if (*at == EMOJI_PRESENTATION || uc_is_property_emoji_modifier(*at))
		at++;
	while (is_tag(*at))
		at++;
	return at;
}

/* An emoji sequence of UTS #51: a flag, a keycap, or pictographs joined to one. (The grapheme breaks of libunistring 1.0 don't know
 * joined ones and flags.) */
bool
text_is_emoji(const char *text)
{
	ucs4_t points[CODE_POINTS_OF_EMOJI_MAX + 1] = {0};
	const uint8_t *from = (const uint8_t *)text;
	const ucs4_t *at = points;
	size_t n = 0, len = strlen(text);

	if (!text_is_utf8(text, len) || u8_mbsnlen(from, len) > CODE_POINTS_OF_EMOJI_MAX)
		return false;
	while (*from)
		from += u8_mbtouc(&points[n++], from, 4);
	if (n == 2 && is_flag_letter(points[0]) && is_flag_letter(points[1]))
		return true;
	if (n >= 2 && n <= 3 && points[n - 1] == KEYCAP && (n == 2 || points[1] == EMOJI_PRESENTATION))
		return points[0] < 0x80 && strchr("0123456789#*", (int)points[0]) != NULL;
	while ((at = skip_pictograph(at)) != NULL && *at == ZERO_WIDTH_JOINER)
		at++;
	return at != NULL && *at == 0;
}
