// SPDX-License-Identifier: GPL-2.0
/* sefctl: what an operator does with services, a subcommand for each; sefctl(8). */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "sefctl.h"

static const struct command commands[] = {
	{ "status", "services, and what is known of them", status_main, 1, NULL },
	{ "top", "the same, live, in a terminal", top_main, 1, NULL },
	{ "watch", "verdicts on services, as they fall", watch_main, 1, NULL },
	{ "ping", "ask a service whether it is alive, as ping(8) asks a host", ping_main, 2, NULL },
	{ "check", "judge a service in one line and an exit status", check_main, 3, "UNKNOWN" },
	{ "metrics", "what is known of services, for Prometheus", metrics_main, 1, NULL },
	{ "run", "a command under supervision", run_main, 125, NULL },
	{ "guard", "feed a hardware watchdog while services are alive", guard_main, 1, NULL },
};

static char *help_text(int key, const char *text, void *input)
{
	const struct command *c;
	size_t size;
	char *list;
	FILE *out;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	out = open_memstream(&list, &size);
	if (!out)
		return NULL;
	fputs("Commands:\n", out);
	for (c = commands; c < commands + ARRAY_SIZE(commands); c++)
		fprintf(out, "  %-10s %s\n", c->name, c->help);
	fputs("\n'sefctl COMMAND --help' tells more of one; sefctl(8) of all.", out);
	fclose(out);
	return list;
}

static const struct argp argp = {
	.args_doc = "COMMAND [ARGUMENT...]",
	.doc = "Watch, ask and judge the services of /dev/sef.\v ",
	.help_filter = help_text,
};

static const struct command *find_command(const char *name)
{
	const struct command *c;

	for (c = commands; c < commands + ARRAY_SIZE(commands); c++)
		if (!strcmp(c->name, name))
			return c;
	fail("no command is named '%s': sefctl --help lists them", name);
}

const char *argp_program_version = "sefctl " VERSION;

int main(int argc, char **argv)
{
	char program[32];
	int first, ret;

	/* Of the locale, only which bytes are a character: numbers stay as they are. */
	setlocale(LC_CTYPE, "");
	argv[0] = program_invocation_short_name;
	first = parse_options(&argp, argc, argv, ARGP_IN_ORDER, NULL);
	if (first == argc)
		fail("say what to do: sefctl --help lists the commands");
	command = find_command(argv[first]);
	snprintf(program, sizeof(program), "sefctl %s", command->name);
	argv[first] = program;
	ret = command->run(argc - first, argv + first);
	flush_or_fail();
	return ret;
}
