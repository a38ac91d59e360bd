/* Builds one logfmt line in a fixed buffer and writes it with one write(2), so that lines of threads and processes that
 * share a file never mix. */
#include "log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum {
	LINE_MAX_BYTES = 4096, /* PIPE_BUF: a longer write to a pipe may be torn */
	VALUE_MAX_BYTES = 1024,
};

struct line {
	char bytes[LINE_MAX_BYTES];
	size_t len;
	bool is_cut;
};

static const char CUT_END[] = "...\n";

static const char *const level_names[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warn",
	[LOG_ERROR] = "error",
};

static const char *log_program = "stonechat";
static enum log_level log_lowest = LOG_INFO;
static int log_process; /* 0: it is the only one */

bool
log_init(const char *program, const char *level)
{
	for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
		if (strcmp(level, level_names[i]) == 0) {
			log_program = program;
			log_lowest = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void
log_set_process(int number)
{
	log_process = number;
}

bool
log_enabled(enum log_level level)
{
	return level >= log_lowest;
}

/* Leaves room for the end of the line; what does not fit is cut. */
static void
put(struct line *line, const char *bytes, size_t len)
{
	size_t room = sizeof line->bytes - sizeof CUT_END - line->len;

	line->is_cut = line->is_cut || len > room;
	if (line->is_cut)
		return;
	memcpy(line->bytes + line->len, bytes, len);
	line->len += len;
}

static void
put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

static bool
is_bare(unsigned char byte)
{
	return byte > ' ' && byte < 0x7f && byte != '"' && byte != '=' && byte != '\\';
}

static bool
needs_quotes(const char *text)
{
	if (*text == '\0')
		return true;
	for (; *text != '\0'; text++) {
		if (!is_bare((unsigned char)*text))
			return true;
	}
	return false;
}

/* Control characters, and bytes above ASCII unless the whole value is UTF-8 without C1 controls, are written as \xNN:
 * a terminal that shows the log must not obey a client. */
static void
put_escaped(struct line *line, const char *text, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	bool keep_high = text_is_utf8(text, len) && !text_has_control(text, "\t\n\r");

	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '"' || byte == '\\')
			put(line, (char[]){'\\', (char)byte}, 2);
		else if (byte == '\n')
			put(line, "\\n", 2);
		else if (byte == '\r')
			put(line, "\\r", 2);
		else if (byte == '\t')
			put(line, "\\t", 2);
		else if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !keep_high))
			put(line, (char[]){'\\', 'x', hex[byte >> 4], hex[byte & 0xf]}, 4);
		else
			put(line, &text[i], 1);
	}
}

static void
put_value(struct line *line, const char *text)
{
	size_t len = strnlen(text, VALUE_MAX_BYTES);

	if (text[len] == '\0' && !needs_quotes(text)) {
		put(line, text, len);
		return;
	}
	put(line, "\"", 1);
	put_escaped(line, text, len);
	put_text(line, text[len] == '\0' ? "\"" : "...\"");
}

static void
put_number(struct line *line, int64_t number)
{
	char digits[20];
	size_t at = sizeof digits;
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (number < 0)
		put(line, "-", 1);
	put(line, digits + at, sizeof digits - at);
}

static void
put_field(struct line *line, const struct log_field *field)
{
	put(line, " ", 1);
	put_text(line, field->key);
	put(line, "=", 1);
	if (field->text == NULL)
		put_number(line, field->number);
	else
		put_value(line, field->text);
}

static void
write_line(struct line *line)
{
	ssize_t written;
	const char *end = line->is_cut ? CUT_END : "\n";

	memcpy(line->bytes + line->len, end, strlen(end));
	line->len += strlen(end);
	do
		written = write(STDERR_FILENO, line->bytes, line->len);
	while (written < 0 && errno == EINTR);
}

void
log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n_fields)
{
	struct line line;
	char time[CLOCK_TEXT_SIZE];
	int saved_errno = errno;

	line.len = 0;
	line.is_cut = false;
	clock_format(clock_wall_ms(), time);
	put_text(&line, "time=");
	put_text(&line, time);
	put_field(&line, &LOG_S("level", level_names[level]));
	put_field(&line, &LOG_S("program", log_program));
	if (log_process > 0)
		put_field(&line, &LOG_I("process", log_process));
	put_field(&line, &LOG_S("event", event));
	for (size_t i = 0; i < n_fields; i++)
		put_field(&line, &fields[i]);
	write_line(&line);
	errno = saved_errno;
}
