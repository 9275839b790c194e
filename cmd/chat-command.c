/* What a line that begins with a slash does at a terminal. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "chat-command.h"
#include "tty/neutral.h"
#include "tty/term.h"

#define BLANKS " \t\r\n"
#define GIST 60 /* columns */

struct command {
	const char *name;
	const char *args; /* as /help shows them; "" for none */
	const char *help; /* one line, lower case, no full stop */
	bool (*run)(struct chat *chat, struct span args); /* false when the user leaves */
};

void command_tell(const char *fmt, ...)
{
	struct buf line = BUF_INIT, harmless = BUF_INIT;
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	utf8_add_clean(&line, span_str(text)); /* it may have been cut */
	neutral_add_line(&harmless, buf_span(&line));
	buf_addc(&harmless, '\n');
	buf_release(&line);
	print_buf(stderr, &harmless);
}

bool command_fail(const struct err *e)
{
	chat_fail(e);
	return true;
}

void command_add_gist(struct buf *b, struct span text)
{
	struct buf line = BUF_INIT;
	const char *end;

	while (text.n && strchr(BLANKS, *text.p))
		text.p++, text.n--;
	end = memchr(text.p, '\n', text.n);
	neutral_add_line(&line, (struct span){ text.p, end ? (size_t)(end - text.p) : text.n });
	term_add_fit(b, buf_span(&line), GIST, false);
	b->oom |= line.oom;
	buf_release(&line);
}

static bool leave(struct chat *chat, struct span args)
{
	(void)chat, (void)args;
	return false;
}

static bool help(struct chat *chat, struct span args);

/* In the order in which /help shows them. */
static const struct command commands[] = {
	{ "help", "", "what there is", help },
	{ "new", "[-p P] [-m M]", "begin a new session", command_new },
	{ "use", "ID", "go on with another session", command_use },
	{ "model", "[M]", "the model; another one from the next prompt on", command_model },
	{ "system", "[TEXT]", "the system prompt; another one before the first prompt", command_system },
	{ "title", "[TEXT]", "the session's title; another one", command_title },
	{ "undo", "[N]", "take the last exchange out of the conversation, or N", command_undo },
	{ "retry", "", "ask the last prompt again", command_retry },
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
	struct span name = { line.p + 1, 0 }, args;
	struct buf b = BUF_INIT;

	while (name.n < line.n - 1 && !strchr(BLANKS, name.p[name.n]))
		name.n++;
	args = (struct span){ line.p + 1 + name.n, line.n - 1 - name.n };
	while (args.n && strchr(BLANKS, *args.p))
		args.p++, args.n--;
	while (args.n && strchr(BLANKS, args.p[args.n - 1]))
		args.n--;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (span_eq(name, commands[i].name))
			return commands[i].run(chat, args);
	buf_addf(&b, "unknown command '%.*s'; /exit leaves, /help lists the commands (a prompt may "
	         "start with a space and then a slash)", (int)line.n, line.p);
	say(b.p);
	buf_release(&b);
	return true;
}
