/* What a line that begins with a slash does at a terminal. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/suggest.h"
#include "base/utf8.h"
#include "chat/command.h"
#include "tty/neutral.h"
#include "tty/term.h"

#define GIST 60 /* columns */
#define HELP_INDENT 22
#define HELP_COLUMNS 80 /* in less, what a command does is on a line of its own */

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
	wrap_for_stderr(&harmless);
	buf_addc(&harmless, '\n');
	buf_release(&line);
	print_buf(stderr, &harmless);
}

bool command_fail(const struct err *e)
{
	chat_fail(e);
	return true;
}

void command_add_excerpt(struct buf *b, struct span text)
{
	struct buf line = BUF_INIT;
	const char *end;

	text = span_trim_start(text, SPAN_WHITE);
	end = text.n ? memchr(text.p, '\n', text.n) : NULL; /* of nothing,  may be NULL */
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

const struct command chat_commands[] = {
	{ "help", "", "what there is", ARG_NONE, help },
	{ "new", "[-p P] [-m M]", "begin a new session", ARG_NONE, command_new },
	{ "use", "ID", "go on with another session", ARG_SESSION, command_use },
	{ "sessions", "[TEXT]", "pick a session to go on with", ARG_TEXT, command_sessions },
	{ "model", "[M]", "the model; another one from the next prompt on", ARG_MODEL, command_model },
	{ "system", "[TEXT]", "the system prompt; another one before the first prompt", ARG_TEXT,
	  command_system },
	{ "title", "[TEXT]", "the session's title; another one", ARG_TEXT, command_title },
	{ "undo", "[N]", "take the last exchange out of the conversation, or N", ARG_TEXT, command_undo },
	{ "retry", "", "ask the last prompt again", ARG_NONE, command_retry },
	{ "edit", "", "change the last prompt in an editor, and ask it so", ARG_NONE, command_edit },
	{ "attach", "[FILE…]", "send files along with the next prompt, as @FILE does", ARG_FILES,
	  command_attach },
	{ "detach", "[FILE…]", "take these back, or all", ARG_TEXT, command_detach },
	{ "copy", "[N]", "the last reply to the clipboard, or its code block N", ARG_TEXT, command_copy },
	{ "save", "[-f] [N] FILE", "the same to a file; -f replaces one that is there", ARG_FILE,
	  command_save },
	{ "usage", "", "tokens, and how full the model's window is", ARG_NONE, command_usage },
	{ "compact", "[N]", "sum up all but the last 4 exchanges, or N", ARG_TEXT, command_compact },
	{ "exit", "", "leave; so does Ctrl-D", ARG_NONE, leave },
	{ NULL, NULL, NULL, ARG_NONE, NULL },
};

static void add_help(struct buf *b, const struct command *c, bool narrow)
{
	struct buf usage = BUF_INIT;

	buf_addf(&usage, "/%s%s%s", c->name, *c->args ? " " : "", c->args);
	if (narrow)
		buf_addf(b, "%s\n ", usage.p);
	else
		term_add_fit(b, buf_span(&usage), HELP_INDENT, true);
	buf_addf(b, " %s\n", c->help);
	buf_release(&usage);
}

static bool help(struct chat *chat, struct span args)
{
	bool narrow = term_columns(STDERR_FILENO) < HELP_COLUMNS;
	struct buf b = BUF_INIT;

	(void)chat, (void)args;
	for (const struct command *c = chat_commands; c->name; c++)
		add_help(&b, c, narrow);
	buf_adds(&b, "A prompt that begins with a slash may start with a space.\n");
	print_buf(stderr, &b);
	return true;
}

/* The command's name: what is between the slash and a blank. */
static struct span name_of(struct span line)
{
	struct span name = { line.p + 1, 0 };

	while (name.n < line.n - 1 && !strchr(SPAN_WHITE, name.p[name.n]))
		name.n++;
	return name;
}

static const struct command *find(struct span name)
{
	for (const struct command *c = chat_commands; c->name; c++)
		if (span_eq(name, c->name))
			return c;
	return span_eq(name, "quit") ? find(span_str("exit")) : NULL; /* as it is called elsewhere */
}

/* "/etc/hosts", "/tmp": what has another slash in it, or exists, is a path and begins a prompt. */
static bool is_path(struct span name)
{
	struct buf path = BUF_INIT;
	struct stat st;
	bool exists;

	if (memchr(name.p, '/', name.n))
		return true;
	buf_addf(&path, "/%.*s", (int)name.n, name.p);
	exists = name.n && lstat(path.p, &st) == 0;
	buf_release(&path);
	return exists;
}

bool chat_is_command(struct span line)
{
	return line.n && line.p[0] == '/' && (find(name_of(line)) || !is_path(name_of(line)));
}

/* What other programs call it: no slip of the hand, so that letters do not tell. */
static const char *find_elsewhere(struct span name)
{
	static const char *const names[][2] = {
		{ "bye", "exit" },      { "clear", "new" },     { "reset", "new" },
		{ "resume", "sessions" }, { "list", "sessions" }, { "redo", "retry" },
		{ "rewind", "undo" },   { "regen", "retry" },   { "file", "attach" },
		{ "rename", "title" },  { "cost", "usage" },    { "tokens", "usage" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i][0]) == name.n && memcmp(names[i][0], name.p, name.n) == 0)
			return names[i][1];
	return NULL;
}

/* What begins so, or else what it may be a slip of; NULL: neither. */
static const char *find_suggestion(struct span name)
{
	const char *names[64], *suggestion;
	struct buf word = BUF_INIT;
	size_t n = 0;

	suggestion = find_elsewhere(name);
	if (suggestion)
		return suggestion;
	for (const struct command *c = chat_commands; c->name && n < 63; c++) {
		if (name.n && strlen(c->name) > name.n && memcmp(c->name, name.p, name.n) == 0)
			return c->name;
		names[n++] = c->name;
	}
	names[n] = NULL;
	buf_add(&word, name.p, name.n);
	suggestion = suggest_name(word.p, names);
	buf_release(&word);
	return suggestion;
}

/* Nothing is run on a guess: it may take something back, or cost something. */
static void say_unknown(struct span name)
{
	const char *suggestion = find_suggestion(name);
	struct buf b = BUF_INIT;

	buf_addf(&b, "unknown command '/%.*s'; ", (int)name.n, name.p);
	if (suggestion)
		buf_addf(&b, "did you mean /%s?", suggestion);
	else
		buf_adds(&b, "/exit leaves, /help lists the commands");
	buf_adds(&b, " (a prompt may start with a space and then a slash)");
	say(b.p);
	buf_release(&b);
}

/* A line with more than the command takes is not obeyed in part: it may be a prompt. */
static bool run(const struct command *c, struct chat *chat, struct span name, struct span args)
{
	struct err e = ERR_INIT;

	if (*c->args || !args.n)
		return c->run(chat, args);
	err_set(&e, ERR_USAGE, "/%.*s takes no operand (a prompt may start with a space and then a slash)",
	        (int)name.n, name.p);
	return command_fail(&e);
}

bool chat_command(struct chat *chat, struct span line)
{
	struct span name = name_of(line), args;
	const struct command *c = find(name);

	args = span_trim((struct span){ line.p + 1 + name.n, line.n - 1 - name.n }, SPAN_WHITE);
	if (c)
		return run(c, chat, name, args);
	say_unknown(name);
	return true;
}
