/* What the whole REST server shares; made by main.c before the first thread and released after the last one. */
#ifndef APP_H
#define APP_H

#include "bus.h"
#include "cache.h"
#include "client_address.h"
#include "config.h"
#include "password.h"
#include "pipeline/submit.h"
#include "rate_limit.h"
#include "redis.h"
#include "token.h"
#include "writer/writer.h"

struct app {
	const struct config *config;
	struct token_key token_key;
	struct password_pool *passwords;
	struct writer *writer;
	struct pipeline *pipeline;
	struct bus *bus;              /* NULL in tests */
	struct rate_limiter *limiter; /* likewise: then nothing is limited */
	const struct client_proxies *proxies;
	struct cache *cache; /* likewise: then nothing is kept */
	struct redis *redis; /* NULL in tests; of presence, the limiter has its own */
};

#endif
