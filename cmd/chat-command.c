/* What a line that begins with a slash does at a terminal. */
#include <stdio.h>
#include <string.h>

#include "chat.h"

struct command {
	const char *name;
	const char *args; /* as /help shows them; "" for none */
	const char *help; /* one line, lower case, no full stop */
	bool (*run)(struct chat *chat, struct span args); /* false when the user leaves */
};

static bool leave(struct chat *chat, struct span args)
{
	(void)chat, (void)args;
	return false;
}

static bool help(struct chat *chat, struct span args);

/* In the order in which /help shows them. */
static const struct command commands[] = {
	{ "help", "", "what there is", help },
	{ "exit", "", "leave; so does Ctrl-D", leave },
};

static bool help(struct chat *chat, struct span args)
{
	(void)chat, (void)args;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];
		char line[80];

		snprintf(line, sizeof(line), "/%s%s%s", c->name, *c->args ? " " : "", c->args);
		fprintf(stderr, "%-22s %s\n", line, c->help);
	}
	fputs("A prompt that begins with a slash may start with a space.\n", stderr);
	return true;
}

bool chat_is_command(struct span line)
{
	return line.n && line.p[0] == '/';
}

bool chat_command(struct chat *chat, struct span line)
{
	const char *end = memchr(line.p, ' ', line.n);
	struct span name = { line.p + 1, (end ? (size_t)(end - line.p) : line.n) - 1 }, args;
	struct buf b = BUF_INIT;

	args = (struct span){ line.p + 1 + name.n, line.n - 1 - name.n };
	while (args.n && *args.p == ' ')
		args.p++, args.n--;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (span_eq(name, commands[i].name))
			return commands[i].run(chat, args);
	buf_addf(&b, "unknown command '%.*s'; /exit leaves, /help lists the commands (a prompt may "
	         "start with a space and then a slash)", (int)line.n, line.p);
	say(b.p);
	buf_release(&b);
	return true;
}
