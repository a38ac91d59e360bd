/* Every setting of every program, from one table: file < environment < flag.
 *
 * A setting `a.b` is `a.b = value` in the file, STONECHAT_A_B in the environment and --a.b=value on the command line.
 * STONECHAT_A_B_FILE names a file whose only line is the value: for secrets, which then stand in no environment. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/status.h"

/* Effective values. Strings live in `arena`; lists are split on commas. Derived defaults (port + 1, paths in `data`) are
 * already filled in. */
struct config {
	struct arena arena;

	int64_t port;             /* port: of lighttpd */
	const char *bind;         /* bind: address of lighttpd */
	const char *data;         /* data: folder */
	const char *database_url; /* database.url: sqlite:<path> or postgres://...; may hold a password */
	const char *redis_url;    /* redis.url: redis_address.h */
	const char *pipeline;     /* pipeline: direct | kafka */
	const char *kafka_brokers;
	const char **public_origins; /* public.origins: NULL-terminated list of scheme://host[:port] */
	int64_t metrics_port;        /* metrics.port: see config_api_metrics_port */
	const char *log_level;       /* log.level: debug info warn error */

	const char *api_socket; /* api.socket: path */
	int64_t writer_threads;
	int64_t api_threads;
	int64_t api_processes; /* api.processes: on this host, of one socket */

	int64_t cache_memory_bytes; /* cache.memory_bytes: 0: none */

	int64_t push_port; /* push.port */
	const char *push_bind;
	int64_t push_processes; /* push.processes: on this host, of one port; 0: push is elsewhere */
	int64_t push_drain_ms;  /* push.drain_ms: from SIGTERM to the last socket's slot */
	const char *push_node;  /* push.node: name of this node; a random part is added per start */

	int64_t presence_beat_ms;  /* presence.beat_ms */
	int64_t presence_grace_ms; /* presence.grace_ms */
	int64_t presence_count_ms; /* presence.count_ms */

	const char *auth_sign_up;         /* auth.sign_up: open | invite | closed */
	int64_t auth_access_token_s;      /* auth.access_token_s */
	int64_t auth_refresh_token_s;     /* auth.refresh_token_s */
	int64_t auth_one_time_password_s; /* auth.one_time_password_s */
	int64_t auth_password_threads;    /* auth.password_threads: Argon2id pool */
	int64_t auth_password_queue;      /* auth.password_queue: waiting at most; more is 503 */

	int64_t limits_body_bytes;
	int64_t limits_request_idle_s; /* limits.request_idle_s: read by lighttpd.conf */
	int64_t limits_sockets_per_user;
	int64_t limits_accepts_per_second; /* of one push process, as are the next two */
	int64_t limits_accepts_burst;
	int64_t limits_handshakes; /* limits.handshakes: from the accept to hello */
	int64_t limits_frames_per_second;
	int64_t limits_frames_burst;
	int64_t limits_frame_bytes;
	int64_t limits_auth_ms;      /* limits.auth_ms: from connect to the auth frame */
	int64_t limits_heartbeat_ms; /* limits.heartbeat_ms: server pings */

	const char *limits_trusted_proxies; /* limits.trusted_proxies: see client_address.h */
	int64_t limits_general_per_minute;  /* 0: not limited, as with the other four */
	int64_t limits_general_burst;
	int64_t limits_send_per_minute;
	int64_t limits_send_burst;
	int64_t limits_search_per_minute;
	int64_t limits_search_burst;
	int64_t limits_sign_up_per_minute;
	int64_t limits_sign_up_burst;
	int64_t limits_log_in_per_minute;
	int64_t limits_log_in_burst;
	int64_t limits_log_in_delay_max_s; /* limits.log_in_delay_max_s: after wrong passwords */
};

/* Reads the settings. `argv` may hold --config FILE, --<setting>=value, --<setting> value; the first argument that is none
 * of these (--help, a command) stops the reading and its index is returned in *ret_rest. A bad value, an unknown key or
 * an unreadable file is ERR_INVALID with a sentence that names the file and line, variable or flag; then there is
 * nothing to finish. Of the environment, STONECHAT_BUILD and STONECHAT_FAULT_* are left to others. */
MUST_USE enum status config_load(struct config *config, int argc, char **argv, int *ret_rest, struct fault *ret_fault);
void config_finish(struct config *config);

/* The port of a process' metrics by its number, from 1 on: the first api process, all of push, the other api processes. */
int64_t config_api_metrics_port(const struct config *config, int64_t number);
int64_t config_push_metrics_port(const struct config *config, int64_t number);

/* Prints every setting with its default, unit and meaning: what --help shows below a program's own lines. */
void config_print_help(FILE *out);

/* Prints a file for --config with every setting as a comment: what conf/stonechat.conf is made by. */
void config_print_file(FILE *out);

/* The effective value of one setting as text in config->arena, or NULL when there is no such setting. */
const char *config_get(struct config *config, const char *name);

#endif
