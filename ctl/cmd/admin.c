/* stonechat admin SUBCOMMAND: reads the command line, opens the database, and says how it went. The subcommands are in
 * admin_people.c, admin_groups.c and admin_access.c. */
#include "admin.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd.h"
#include "db/migrate.h"
#include "json.h"
#include "program.h"
#include "writer/retire.h"

enum { REDIS_WAIT_MS = 300, REDIS_POLL_MS = 10 };

enum argument { ARGUMENT_NONE, ARGUMENT_OPTIONAL, ARGUMENT_REQUIRED, ARGUMENT_TWO };

static const struct subcommand {
	const char *name, *usage, *help;
	enum argument argument;
	enum status (*run)(struct admin *admin);
} subcommands[] = {
	{"list", "list [--state STATE] [--limit N] [PREFIX]", "accounts (STATE: active, disabled, deleted)",
	 ARGUMENT_OPTIONAL, admin_list},
	{"show", "show USER", "one account, and what was done to it", ARGUMENT_REQUIRED, admin_show},
	{"disable", "disable USER", "ends all log-ins and refuses new ones", ARGUMENT_REQUIRED, admin_disable},
	{"enable", "enable USER", "lets somebody log in again", ARGUMENT_REQUIRED, admin_enable},
	{"grant", "grant USER", "makes somebody an administrator", ARGUMENT_REQUIRED, admin_grant},
	{"revoke-role", "revoke-role USER", "makes an administrator a member", ARGUMENT_REQUIRED, admin_revoke_role},
	{"reset-password", "reset-password USER", "prints a one-time password; ends all log-ins", ARGUMENT_REQUIRED,
	 admin_reset_password},
	{"delete", "delete --yes USER", "deletes an account; its messages stay", ARGUMENT_REQUIRED, admin_delete},
	{"groups", "groups USER", "the groups somebody is in, with their role", ARGUMENT_REQUIRED, admin_groups},
	{"handover", "handover CONVERSATION USER", "another owner for a group whose owner is disabled", ARGUMENT_TWO,
	 admin_handover},
	{"invite", "invite [--days N] [--note TEXT]", "prints a code by which one person may sign up", ARGUMENT_NONE,
	 admin_invite},
	{"invites", "invites [--limit N]", "invites, the newest first", ARGUMENT_NONE, admin_invites},
	{"revoke-invite", "revoke-invite ID", "takes an invite back", ARGUMENT_REQUIRED, admin_revoke_invite},
	{"sign-up", "sign-up [open|invite|closed|default]", "shows or sets who may sign up", ARGUMENT_OPTIONAL,
	 admin_sign_up},
	{"audit", "audit [--actor A] [--action A] [--target ID] [--limit N]", "who did what, the newest first",
	 ARGUMENT_NONE, admin_audit},
};

enum { N_SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static const char name[] = "stonechat admin";

static void
print_usage(FILE *to)
{
	fputs("stonechat admin SUBCOMMAND ...: USER is a username or an id; --json prints one JSON object a line.\n\n",
	      to);
	for (size_t i = 0; i < N_SUBCOMMANDS; i++)
		fprintf(to, "  %-38s %s\n", subcommands[i].usage, subcommands[i].help);
}

void
admin_print_json(json_t *json)
{
	CLEANUP_FREE char *text = json_to_text(json, NULL);

	puts(text);
}

const char *
admin_time(struct admin *admin, int64_t at_ms)
{
	char text[CLOCK_TEXT_SIZE];

	if (!at_ms)
		return "-";
	clock_format(at_ms, text);
	return arena_strdup(&admin->arena, text);
}

/* Redis is asked for a moment only: who is not told finds it in the database. */
static bool
wait_for_redis(const struct bus *bus)
{
	for (int waited_ms = 0; waited_ms < REDIS_WAIT_MS && !bus_is_up(bus); waited_ms += REDIS_POLL_MS)
		nanosleep(&(struct timespec){.tv_nsec = REDIS_POLL_MS * 1000000L}, NULL);
	return bus_is_up(bus);
}

/* The account has ended, whether or not this works. */
static void
retire(struct admin *admin, struct writer *writer, const char *user_id)
{
	struct fault fault = {0};

	if (retire_from_groups(writer, admin->db, user_id, &fault) != OK)
		fprintf(stderr, "They have not left all their groups yet (%s): a running stonechat-api sees to it.\n",
			fault.detail);
}

enum status
admin_write(struct admin *admin, struct write_op *op)
{
	struct writer *writer = NULL;
	struct bus *bus = NULL;
	enum status status;

	TRY(bus_create(admin->config->redis_url, &bus, &admin->fault));
	bool told = wait_for_redis(bus);
	status = writer_create(admin->config->database_url, 1, bus, &writer, &admin->fault);
	if (status == OK) {
		status = writer_run(writer, op);
		if (status != OK)
			admin->fault = op->fault;
		else if (op->kind == WRITE_ADMINISTER && ((struct write_administer *)op)->act == ADMINISTER_DELETE)
			retire(admin, writer, ((struct write_administer *)op)->user_id);
	}
	writer_destroy(writer);
	bus_destroy(bus);
	if (status == OK && !told)
		fputs("Redis does not answer: running servers notice within 5 seconds.\n", stderr);
	return status;
}

/* Options. */

static enum status
read_number(struct admin *admin, const char *option, const char *text, int64_t *ret_number)
{
	long long number;

	if (!text_to_int64(text, &number) || number < 1)
		return fault_set(&admin->fault, ERR_INVALID, "option", NULL,
				 "%s takes a whole number from 1 on, not \"%.40s\".", option, text);
	*ret_number = number;
	return OK;
}

/* One option at argv[0]; *ret_used: how many arguments it took. */
static enum status
read_option(struct admin *admin, int argc, char **argv, int *ret_used)
{
	const struct {
		const char *option;
		const char **text;
		int64_t *number;
	} options[] = {
		{"--state", &admin->state, NULL},   {"--note", &admin->note, NULL},
		{"--actor", &admin->actor, NULL},   {"--action", &admin->action, NULL},
		{"--target", &admin->target, NULL}, {"--days", NULL, &admin->days},
		{"--limit", NULL, &admin->limit},
	};

	*ret_used = 1;
	if (strcmp(argv[0], "--json") == 0 || strcmp(argv[0], "--yes") == 0) {
		*(argv[0][2] == 'j' ? &admin->json : &admin->yes) = true;
		return OK;
	}
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		if (strcmp(argv[0], options[i].option) != 0)
			continue;
		if (argc < 2)
			return fault_set(&admin->fault, ERR_INVALID, "option", NULL, "%s needs a value.", argv[0]);
		*ret_used = 2;
		if (options[i].number)
			return read_number(admin, argv[0], argv[1], options[i].number);
		*options[i].text = argv[1];
		return OK;
	}
	return fault_set(&admin->fault, ERR_INVALID, "option", NULL,
			 "There is no option %.40s; `stonechat admin` lists what there is.", argv[0]);
}

static enum status
read_arguments(struct admin *admin, const struct subcommand *subcommand, int argc, char **argv)
{
	for (int used; argc > 0; argc -= used, argv += used) {
		if (argv[0][0] == '-') {
			TRY(read_option(admin, argc, argv, &used));
			continue;
		}
		const char **place = admin->argument ? &admin->second : &admin->argument;

		if (*place || subcommand->argument == ARGUMENT_NONE ||
		    (admin->argument && subcommand->argument != ARGUMENT_TWO))
			return fault_set(&admin->fault, ERR_INVALID, "argument", NULL,
					 "\"%.40s\" is one too many: stonechat admin %s.", argv[0], subcommand->usage);
		*place = argv[0];
		used = 1;
	}
	if ((!admin->argument && subcommand->argument >= ARGUMENT_REQUIRED) ||
	    (!admin->second && subcommand->argument == ARGUMENT_TWO))
		return fault_set(&admin->fault, ERR_INVALID, "argument", NULL, "It is: stonechat admin %s.",
				 subcommand->usage);
	return OK;
}

static const struct subcommand *
find(const char *wanted)
{
	for (size_t i = 0; i < N_SUBCOMMANDS; i++)
		if (strcmp(wanted, subcommands[i].name) == 0)
			return &subcommands[i];
	return NULL;
}

static const char *
operator_name(struct arena *arena)
{
	const struct passwd *account = getpwuid(getuid());

	return account ? arena_printf(arena, "operator:%s", account->pw_name)
		       : arena_printf(arena, "operator:%u", (unsigned)getuid());
}

static enum status
run(struct admin *admin, const struct subcommand *subcommand)
{
	enum status status;

	if (migrate_check_url(admin->config->database_url, &admin->fault) != OK) {
		if (!strstr(admin->fault.detail, "stonechat migrate"))
			admin->fault.detail[0] = '\0';
		return admin->fault.detail[0] ? ERR_UNAVAILABLE
					      : fault_set(&admin->fault, ERR_UNAVAILABLE, "database", NULL,
							  "The database %.120s cannot be opened: `stonechat migrate` "
							  "makes one, or name another data folder before the command.",
							  admin->config->database_url);
	}
	TRY(db_open(admin->config->database_url, DB_ACCESS_READ, &admin->db, &admin->fault));
	status = subcommand->run(admin);
	if (status != OK && !admin->fault.code)
		fault_fill(&admin->fault, status, "database", NULL, "The database cannot be read: %s",
			   db_error(admin->db));
	db_close(admin->db);
	return status;
}

int
cmd_admin(struct config *config, int argc, char **argv)
{
	struct admin admin = {.config = config};
	const struct subcommand *subcommand = argc > 0 ? find(argv[0]) : NULL;
	int result = PROGRAM_DONE;

	if (!subcommand) {
		print_usage(argc > 0 ? stderr : stdout);
		return argc > 0 ? PROGRAM_CALLED_WRONGLY : PROGRAM_DONE;
	}
	json_init();
	admin.by = (struct write_actor){.name = operator_name(&admin.arena), .session_id = ""};
	if (read_arguments(&admin, subcommand, argc - 1, argv + 1) != OK)
		result = program_give_up(name, PROGRAM_CALLED_WRONGLY, admin.fault.detail);
	else if (run(&admin, subcommand) != OK)
		result = program_give_up(name, PROGRAM_FAILED, admin.fault.detail);
	arena_finish(&admin.arena);
	return result;
}
