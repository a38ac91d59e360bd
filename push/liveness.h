/* Whether the other end of a socket is still there, judged by what its kernel acknowledges and what it sends. */
#ifndef PUSH_LIVENESS_H
#define PUSH_LIVENESS_H

#include <stdint.h>

enum {
	LIVENESS_STALLED_MS = 30 * 1000, /* bytes wait and none was acknowledged: close 4008 */
	LIVENESS_SILENT_MS = 60 * 1000,  /* nothing received and nothing acknowledged: close 4009 */
	LIVENESS_WATCH_MS = 5 * 1000,    /* how often to look while bytes wait */
};

/* What the transport has counted until now. */
struct liveness_sample {
	uint64_t received;       /* frames and pongs */
	uint64_t acknowledged;   /* bytes */
	uint64_t unacknowledged; /* bytes written and not acknowledged yet */
};

struct liveness {
	struct liveness_sample last;
	int64_t sign_at_ms;       /* when something was last received or acknowledged, as far as was looked */
	int64_t waiting_since_ms; /* bytes wait since then without any acknowledged; 0: none wait */
};

enum liveness_verdict { LIVENESS_WELL, LIVENESS_STALLED, LIVENESS_SILENT };

void liveness_init(struct liveness *liveness, int64_t now_ms);
enum liveness_verdict liveness_look(struct liveness *liveness, const struct liveness_sample *sample, int64_t now_ms);

#endif
