/* stonechat migrate-db --from URL --to URL: moves all data to another database while the servers run. What it does is in move.h;
 * here are its arguments and what it says. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd.h"
#include "move.h"
#include "program.h"

static const char usage[] =
	"migrate-db [--from URL] --to URL [--dry-run] moves all data to another database while the servers run.\n"
	"\n"
	"  --from URL   sqlite:<path> or postgres://...: the one in use; by itself the setting database.url\n"
	"  --to URL     an empty database, or the one that an earlier run has begun to fill\n"
	"  --dry-run    checks both and changes nothing\n"
	"  --reopen     makes a source serve again that was moved, as another history: what the destination has\n"
	"               taken since is not in it\n"
	"\n"
	"The source serves until the last moment; then it refuses (503, code moved) for good, and the servers have to\n"
	"be started again with database.url naming the destination. Broken off at any point, run it again.\n";

struct arguments {
	const char *from, *to;
	bool dry_run, reopen;
};

static bool
parse(int argc, char **argv, struct arguments *ret)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--from") == 0 && i + 1 < argc)
			ret->from = argv[++i];
		else if (strcmp(argv[i], "--to") == 0 && i + 1 < argc)
			ret->to = argv[++i];
		else if (strcmp(argv[i], "--dry-run") == 0)
			ret->dry_run = true;
		else if (strcmp(argv[i], "--reopen") == 0)
			ret->reopen = true;
		else
			return false;
	}
	return (ret->to != NULL) != ret->reopen;
}

/* Without what stands between the user's name and the @, and without parameters, where a password may stand too. */
static const char *
without_password(struct arena *arena, const char *url)
{
	const char *authority = strstr(url, "://"), *at, *colon;
	int len = (int)strcspn(url, "?");

	if (!authority)
		return arena_printf(arena, "%.*s", len, url);
	authority += 3;
	at = strchr(authority, '@');
	colon = strchr(authority, ':');
	if (!at || !colon || colon > at || at > url + len)
		return arena_printf(arena, "%.*s", len, url);
	return arena_printf(arena, "%.*s%.*s", (int)(colon - url), url, len - (int)(at - url), at);
}

static void
print_report(const struct move *move, const struct move_report *report, int64_t ms)
{
	printf("moved %" PRId64 " rows in %" PRId64 ".%" PRId64 " s, %u rounds of following\n", report->rows, ms / 1000,
	       ms % 1000 / 100, report->n_rounds);
	printf("the fence: %" PRId64 " ms, with %" PRId64 " rows written behind it\n", report->fence_us / 1000,
	       report->copied_behind_fence);
	printf("epoch %s, as before; all conversations compared\n", move->epoch);
	printf("now: start every server again with database.url = %s\n", move->to_shown);
}

static enum status
run(struct move *move, const struct arguments *arguments)
{
	struct move_report report = {0};
	bool resumes, moved;

	if (arguments->reopen) {
		TRY(move_reopen(move));
		printf("%s serves again, in epoch %s\n", move->from_url, move->epoch);
		return OK;
	}
	TRY(move_prepare(move, &resumes, &moved));
	if (moved) {
		printf("Moved already: start every server with database.url = %s\n", move->to_shown);
		return OK;
	}
	if (arguments->dry_run) {
		printf("%s can be moved to %s%s. Nothing was changed.\n", move->from_url, move->to_shown,
		       resumes ? ", where an earlier run has begun" : "");
		return OK;
	}
	if (resumes)
		printf("going on with what an earlier run has begun\n");
	TRY(move_run(move, &report));
	progress_end_line(&move->progress);
	print_report(move, &report, clock_monotonic_ms() - move->started_ms);
	return OK;
}

static void
explain(struct move *move, enum status status)
{
	const char *from = move->from ? db_error(move->from) : "", *to = move->to ? db_error(move->to) : "";

	if (!move->fault.code)
		fault_fill(&move->fault, status, "database", NULL,
			   "%s%s%s%s%s: run this again, which goes on from here", *from ? "the source failed: " : "",
			   from, *from && *to ? "; " : "", *to ? "the destination failed: " : "", to);
}

int
cmd_migrate_db(struct config *config, int argc, char **argv)
{
	struct arguments arguments = {0};
	struct arena arena = {0};
	struct move move = {0};
	int result = PROGRAM_DONE;
	enum status status;

	if (!parse(argc, argv, &arguments)) {
		fputs(usage, stderr);
		return PROGRAM_CALLED_WRONGLY;
	}
	move.from_url = arguments.from ? arguments.from : config->database_url;
	move.to_url = arguments.to;
	move.to_shown = arguments.to ? without_password(&arena, arguments.to) : "";
	status = run(&move, &arguments);
	progress_end_line(&move.progress);
	if (status != OK) {
		explain(&move, status);
		fflush(stdout);
		fputs(move.holders.len ? move.holders.bytes : "", stderr);
		result = program_give_up("stonechat migrate-db", PROGRAM_FAILED, move.fault.detail);
	}
	move_finish(&move);
	arena_finish(&arena);
	return result;
}
