/* Log lines in logfmt on standard error, one write each:
 * time=2026-01-31T23:59:59.123Z level=info program=stonechat-api event=request key=value ...
 *
 * Never a body, a token or a password. Values are quoted and escaped, so that a client cannot forge a line; one over
 * 1,024 bytes is cut and ends in "...", and so is a line over 4,096. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
	const char *key;
	const char *text; /* NULL: `number` counts */
	int64_t number;
};

static inline const char *
log_text_or_dash(const char *text)
{
	return text == NULL ? "-" : text;
}

#define LOG_S(key, text) ((struct log_field){(key), log_text_or_dash(text), 0})
#define LOG_I(key, number) ((struct log_field){(key), NULL, (int64_t)(number)})

/* Sets the program's name (a literal) and the lowest level that is written, before threads are made. False when there
 * is no level of that name. */
bool log_init(const char *program, const char *level);
/* Of several processes of the program: every line names this one. Before threads are made. */
void log_set_process(int number);
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n_fields);

/* log_info("request", LOG_S("method", m), LOG_I("status", 200)) */
#define log_at(level, event, ...)                                                                                      \
	do {                                                                                                           \
		if (log_enabled(level)) {                                                                              \
			const struct log_field log_fields[] = {__VA_ARGS__};                                           \
			log_write(level, event, log_fields, sizeof log_fields / sizeof log_fields[0]);                 \
		}                                                                                                      \
	} while (0)
#define log_debug(event, ...) log_at(LOG_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...) log_at(LOG_INFO, event, __VA_ARGS__)
#define log_warn(event, ...) log_at(LOG_WARN, event, __VA_ARGS__)
#define log_error(event, ...) log_at(LOG_ERROR, event, __VA_ARGS__)

#endif
