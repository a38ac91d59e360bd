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

/* Shows as an empty place: white space, the Braille pattern without a dot, the fillers of Hangul. */
static bool
is_blank(ucs4_t c)
{
	return uc_is_property_white_space(c) || c == 0x2800 || c == 0x115f || c == 0x1160 || c == 0x3164 || c == 0xffa0;
}

bool
text_is_blank(const char *text)
{
	const uint8_t *rest = (const uint8_t *)text;
	ucs4_t code_point;

	while ((rest = u8_next(&code_point, rest)) != NULL) {
		if (!is_blank(code_point))
			return false;
	}
	return true;
}

bool
text_begins_combining(const char *text)
{
	ucs4_t code_point;

	return u8_next(&code_point, (const uint8_t *)text) != NULL &&
	       uc_is_general_category_withtable(code_point, UC_CATEGORY_MASK_M);
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

enum {
	KEYCAP = 0x20e3,
	BLACK_FLAG = 0x1f3f4,
	TAG_END = 0xe007f,
	EMOJI_POINTS_MAX = 32, /* code points looked at: a family of four takes 7, and a reaction has 64 bytes */
};

/* An emoji being read and its one form being written. */
struct emoji {
	const ucs4_t *at;                    /* the text ends by 0 */
	ucs4_t normal[2 * EMOJI_POINTS_MAX]; /* each code point, and at most one more behind it */
	size_t n_normal;
};

static void
put(struct emoji *emoji, ucs4_t c)
{
	emoji->normal[emoji->n_normal++] = c;
}

static bool
is_flag_letter(ucs4_t c)
{
	return c >= 0x1f1e6 && c <= 0x1f1ff;
}

/* The tag characters of 0 to 9 and a to z. */
static bool
is_tag_of_region(ucs4_t c)
{
	return (c >= 0xe0030 && c <= 0xe0039) || (c >= 0xe0061 && c <= 0xe007a);
}

/* Whether it is shown as text unless U+FE0F asks for the picture. What a later Unicode calls an emoji is not: it comes as a
 * picture. */
static bool
has_text_default(ucs4_t c)
{
	return uc_is_property_emoji(c) && !uc_is_property_emoji_presentation(c);
}

/* The flag of a country: two letters of its own kind. */
static bool
take_letters(struct emoji *emoji)
{
	if (!is_flag_letter(emoji->at[0]) || !is_flag_letter(emoji->at[1]))
		return false;
	put(emoji, *emoji->at++);
	put(emoji, *emoji->at++);
	return true;
}

/* The flag of a part of a country: 3 to 7 tags behind a black flag and the tag that ends them (UTS #51 ED-14a, UTS #35
 * unicode_subdivision_id). Tags show nothing, so behind any other pictograph they would only make it look like another one. */
static bool
take_tags(struct emoji *emoji)
{
	size_t n = 0;

	if (emoji->at[0] != BLACK_FLAG)
		return false;
	while (is_tag_of_region(emoji->at[n + 1]))
		n++;
	if (n < 3 || n > 7 || emoji->at[n + 1] != TAG_END)
		return false;
	for (size_t i = 0; i < n + 2; i++)
		put(emoji, *emoji->at++);
	return true;
}

static bool
take_keycap(struct emoji *emoji)
{
	const ucs4_t *cap = emoji->at + 1;

	if (emoji->at[0] == 0 || emoji->at[0] >= 0x80 || strchr("0123456789#*", (int)emoji->at[0]) == NULL)
		return false;
	if (*cap == EMOJI_PRESENTATION)
		cap++;
	if (*cap != KEYCAP)
		return false;
	put(emoji, *emoji->at);
	put(emoji, EMOJI_PRESENTATION);
	put(emoji, KEYCAP);
	emoji->at = cap + 1;
	return true;
}

/* One pictograph with its style or skin tone, which implies the style. */
static bool
take_pictograph(struct emoji *emoji)
{
	ucs4_t base = *emoji->at;

	if (!uc_is_property_extended_pictographic(base))
		return false;
	put(emoji, base);
	emoji->at++;
	if (uc_is_property_emoji_modifier(*emoji->at)) {
		put(emoji, *emoji->at++);
		return true;
	}
	if (*emoji->at == EMOJI_PRESENTATION)
		emoji->at++;
	if (has_text_default(base))
		put(emoji, EMOJI_PRESENTATION);
	return true;
}

static bool
take_joined(struct emoji *emoji)
{
	while (take_pictograph(emoji)) {
		if (*emoji->at != ZERO_WIDTH_JOINER)
			return true;
		put(emoji, *emoji->at++);
	}
	return false;
}

static char *
to_utf8(struct arena *arena, const ucs4_t *points, size_t n)
{
	uint8_t *bytes = arena_alloc(arena, 4 * n + 1);
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += (size_t)u8_uctomb(bytes + len, points[i], 4);
	return (char *)bytes;
}

/* Keyboards leave U+FE0F out, or put it in where nothing asks for it, as they like: the same emoji must not become two. Of the
 * forms the one with it ("fully-qualified", UTS #51 ED-18) is kept, because it is the one that is shown as a picture
 * everywhere. (The grapheme breaks of libunistring 1.0 know neither joined pictographs nor flags.) */
char *
text_normalize_emoji(struct arena *arena, const char *text)
{
	ucs4_t points[EMOJI_POINTS_MAX + 1] = {0};
	struct emoji emoji = {.at = points};
	const uint8_t *from = (const uint8_t *)text;
	size_t n = 0, len = strlen(text);

	if (!text_is_utf8(text, len) || u8_mbsnlen(from, len) > EMOJI_POINTS_MAX)
		return NULL;
	while (*from)
		from += u8_mbtouc(&points[n++], from, 4);
	if (!take_letters(&emoji) && !take_tags(&emoji) && !take_keycap(&emoji) && !take_joined(&emoji))
		return NULL;
	return *emoji.at ? NULL : to_utf8(arena, emoji.normal, emoji.n_normal);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
text_percent_decode(const char *bytes, size_t len, bool plus, char *ret_text, size_t *ret_len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '%') {
			int high = i + 2 < len ? hex_value(bytes[i + 1]) : -1;
			int low = high >= 0 ? hex_value(bytes[i + 2]) : -1;

			if (low < 0)
				return false;
			ret_text[n++] = (char)(high * 16 + low);
			i += 2;
		} else {
			ret_text[n++] = bytes[i] == '+' && plus ? ' ' : bytes[i];
		}
	}
	ret_text[n] = '\0';
	*ret_len = n;
	return true;
}
