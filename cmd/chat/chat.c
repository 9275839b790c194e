/* mc-chat: one turn, or a conversation at a terminal. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "applet.h"
#include "base/io.h"
#include "base/json.h"
#include "base/utf8.h"
#include "chat/chat.h"
#include "tty/stop.h"

enum {
	O_JSON = OPT_LONG, O_EVENTS, O_REASONING, O_SCHEMA, O_CONTEXT, O_TRACE, O_NO_SAVE, O_NO_WAIT,
	O_NO_STREAM, O_NO_STDIN, O_REPLACE_INVALID, O_PLAIN, O_TIMEOUT
};

static const struct opt opts[] = {
	{ 's', "session", "[ID]", ARG_SESSION, "go on with this session; with none, pick one" },
	{ 'c', "continue", NULL, ARG_NONE, "go on with the most recently active session" },
	{ 'n', "new", NULL, ARG_NONE, "create the session when it is missing" },
	{ 'p', "provider", "NAME", ARG_PROVIDER, "the provider of a new session" },
	{ 'm', "model", "NAME", ARG_MODEL, "the model, from this turn on" },
	{ 'S', "system", "TEXT", ARG_TEXT, "the system prompt of a new session" },
	{ 't', "title", "TEXT", ARG_TEXT, "the session's title" },
	{ 'a', "attach", "FILE", ARG_FILES, "attach this file to the prompt; - is stdin" },
	{ 'o', "option", "KEY=VALUE", ARG_TEXT, "a parameter of the model, such as temperature=0.2" },
	{ O_SCHEMA, "schema", "FILE", ARG_FILE, "have the reply follow this JSON Schema" },
	{ O_CONTEXT, "context", "TOKENS", ARG_TEXT, "the model's window, for a request and its reply" },
	{ O_REASONING, "reasoning", NULL, ARG_NONE, "show the model's reasoning, on stderr" },
	{ O_JSON, "json", NULL, ARG_NONE, "print the exchange's record instead of the reply" },
	{ O_EVENTS, "events", NULL, ARG_NONE, "print each step as a line of JSON" },
	{ O_NO_SAVE, "no-save", NULL, ARG_NONE, "store nothing" },
	{ O_NO_WAIT, "no-wait", NULL, ARG_NONE, "fail when the session is busy" },
	{ O_NO_STREAM, "no-stream", NULL, ARG_NONE, "ask for the reply in one piece" },
	{ O_NO_STDIN, "no-stdin", NULL, ARG_NONE, "leave standard input alone" },
	{ O_REPLACE_INVALID, "replace-invalid", NULL, ARG_NONE, "replace bytes that are not UTF-8 by U+FFFD" },
	{ O_PLAIN, "plain", NULL, ARG_NONE, "show the reply as it is, at a terminal too" },
	{ O_TIMEOUT, "timeout", "SEC", ARG_TEXT, "give up after so long without a word" },
	{ O_TRACE, "trace", "FILE", ARG_FILE, "append requests, answers and timings to this file" },
	{ 0 },
};

#define PROMPT_MAX (32 << 20)
#define SCHEMA_MAX (1 << 20)

/* ---- the command line ---- */

static void tell_waiting(const char *path)
{
	struct buf line = BUF_INIT;

	if (files_is_stdin(path))
		buf_adds(&line, "waiting for the end of standard input");
	else
		buf_addf(&line, "waiting for the end of '%s'", path);
	say(line.p);
	buf_release(&line);
}

/* Read at once, so that nothing is made or sent for one that cannot be. */
static int attach_all(const struct cli *c, struct chat *chat, struct err *e)
{
	for (size_t i = 0; i < c->nopts; i++) {
		const char *path = c->opts[i].val;

		if (c->opts[i].id != 'a')
			continue;
		if (chat->no_stdin && files_is_stdin(path))
			return err_set(e, ERR_USAGE, "-a %s and --no-stdin exclude each other", path);
		if (files_attach(&chat->files, path, e) < 0)
			return -1;
	}
	return 0;
}

static int choose_form(struct chat *chat, enum show_form form, struct err *e)
{
	if (chat->show.form != SHOW_TEXT && chat->show.form != form)
		return err_set(e, ERR_USAGE, "--json and --events exclude each other");
	chat->show.form = form;
	return 0;
}

static int trace_to(struct chat *chat, const char *path, struct err *e)
{
	if (strcmp(path, "-") == 0)
		return err_set(e, ERR_USAGE, "--trace takes a file: standard output is for the reply "
		               "(a file of that name is './-')");
	chat->trace_file = path;
	return 0;
}

/* What the settings say, which it changes, is not known yet. */
static int check_param(const char *text, struct err *e)
{
	struct params p = PARAMS_INIT;
	int r = params_add(&p, text, e);

	params_release(&p);
	return r;
}

static int read_options(const struct cli *c, struct chat *chat, struct err *e)
{
	for (size_t i = 0; i < c->nopts; i++) {
		const char *val = c->opts[i].val;

		switch (c->opts[i].id) {
		case 's':
			chat->wish.session = val;
			chat->pick = !val;
			break;
		case 'c': chat->wish.last = true; break;
		case 'n': chat->wish.create = true; break;
		case 'p': chat->wish.choice.provider = val; break;
		case 'm': chat->wish.choice.model = val; break;
		case 'S': chat->wish.choice.system = utf8_unmarked(span_str(val)).p; break; /* of "$(cat FILE)" */
		case 't': chat->wish.choice.title = utf8_unmarked(span_str(val)).p; break;
		case 'o':
			if (check_param(val, e) < 0)
				return err_prefix(e, "-o");
			break;
		case O_SCHEMA: chat->schema_file = val; break;
		case O_CONTEXT:
			if (cli_number(val, "--context", CONFIG_CONTEXT_MIN, CONFIG_CONTEXT_MAX, &chat->context, e) < 0)
				return -1;
			break;
		case O_PLAIN: chat->show.plain = true; break;
		case O_REASONING: chat->show.reasoning = true; break;
		case O_JSON:
		case O_EVENTS:
			if (choose_form(chat, c->opts[i].id == O_JSON ? SHOW_RECORD : SHOW_EVENTS, e) < 0)
				return -1;
			break;
		case O_TRACE:
			if (trace_to(chat, val, e) < 0)
				return -1;
			break;
		case O_NO_SAVE: chat->no_save = true; break;
		case O_NO_WAIT: chat->no_wait = true; break;
		case O_NO_STREAM: chat->no_stream = true; break;
		case O_NO_STDIN: chat->no_stdin = true; break;
		case O_REPLACE_INVALID: chat->files.replace_invalid = true; break;
		case O_TIMEOUT:
			if (cli_number(val, "--timeout", 1, CONFIG_TIMEOUT_MAX, &chat->timeout, e) < 0)
				return -1;
		}
	}
	if ((chat->wish.session || chat->pick) && chat->wish.last)
		return err_set(e, ERR_USAGE, "--session and --continue exclude each other");
	if (chat->pick && !can_pick_session())
		return err_set(e, ERR_USAGE, "option '-s' needs a value: ID; without one it shows a list "
		               "to pick from, which takes a terminal");
	return check_choice(&chat->wish.choice, e) < 0 ? -1 : attach_all(c, chat, e);
}

static int check_utf8(struct span s, const char *what, struct err *e)
{
	if (utf8_check(s, what, e) == 0)
		return 0;
	return utf8_other_encoding(s) ? -1 : err_suffix(e, "; --replace-invalid replaces such bytes");
}

int check_prompt(struct span p, struct err *e)
{
	if (check_utf8(p, "the prompt", e) < 0)
		return -1;
	if (memchr(p.p, '\0', p.n))
		return err_set(e, ERR_USAGE, "the prompt holds a NUL character; is it a binary file?");
	return span_is_blank(p) ? err_set(e, ERR_USAGE, "the prompt is empty") : 0;
}

static void tell_waiting_for_stdin(void *ctx)
{
	const struct cli *c = ctx;

	if (c->noperands)
		say("waiting for the end of standard input, which follows the prompt; --no-stdin leaves it alone");
	else
		say(isatty(STDIN_FILENO) ? "waiting for the prompt on standard input; Ctrl-D ends it"
		                         : "waiting for the end of standard input, which is the prompt");
}

static void repair(const struct chat *chat, struct buf *text)
{
	if (chat->files.replace_invalid && !utf8_other_encoding(buf_span(text)))
		utf8_clean(text);
}

/* The operands, joined by spaces, then standard input, set off by an empty line. */
static int read_prompt(const struct cli *c, const struct chat *chat, struct buf *prompt,
                       struct err *e)
{
	bool stdin_left = !chat->no_stdin && !chat->files.stdin_read;

	for (size_t i = 0; i < c->noperands; i++)
		buf_addf(prompt, "%s%s", i ? " " : "", c->operands[i]);
	utf8_drop_mark(prompt);
	repair(chat, prompt);
	if (stdin_left && (!c->noperands || !isatty(STDIN_FILENO))) {
		const struct io_wait wait = { -1, tell_waiting_for_stdin, (void *)(uintptr_t)c };
		struct buf in = BUF_INIT;
		int r = io_read_slow(STDIN_FILENO, &in, PROMPT_MAX, &wait);

		if (r < 0 && errno == EFBIG)
			err_set(e, ERR_USAGE, "the prompt is larger than %d MiB", PROMPT_MAX >> 20);
		else if (r < 0 && errno != EBADF) /* a closed stdin is an empty one */
			err_sys(e, errno, "cannot read standard input");
		utf8_drop_mark(&in);
		repair(chat, &in);
		if (c->noperands) /* its own lines are counted, and its own byte order mark is seen */
			check_utf8(buf_span(&in), "standard input", e);
		buf_trim_end(&in, "\n");
		if (in.n && prompt->n)
			buf_adds(prompt, "\n\n");
		buf_add(prompt, in.p, in.n);
		prompt->oom |= in.oom;
		buf_release(&in);
	}
	if (e->kind != ERR_NONE || buf_check(prompt, e) < 0)
		return -1;
	if (!prompt->n && chat->files.stdin_read)
		return err_set(e, ERR_USAGE, "the prompt is empty: standard input is attached, so give the prompt "
		               "as an argument");
	return check_prompt(buf_span(prompt), e);
}

/* ---- opening and closing ---- */

static int read_schema(struct chat *chat, struct err *e)
{
	struct json_object *o;
	int fd, r;

	if (!chat->schema_file)
		return 0;
	fd = open(chat->schema_file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "cannot read the schema '%s'", chat->schema_file);
	r = io_read_all(fd, &chat->schema, SCHEMA_MAX);
	utf8_drop_mark(&chat->schema);
	if (r < 0)
		err_sys(e, errno, "cannot read the schema '%s'", chat->schema_file);
	else if ((r = utf8_check(buf_span(&chat->schema), "it", e)) < 0)
		err_prefix(e, "the schema '%s'", chat->schema_file);
	else if ((r = json_parse_object(buf_span(&chat->schema), &o, e)) < 0)
		e->kind = ERR_USAGE, err_prefix(e, "the schema '%s'", chat->schema_file);
	else
		json_object_put(o);
	close(fd);
	return r;
}

static int open_trace(struct chat *chat, struct err *e)
{
	if (!chat->trace_file)
		return 0;
	return trace_open(&chat->trace, chat->trace_file, e);
}

static int pick(struct chat *chat, char id[ID_SIZE], struct err *e)
{
	int r = chat_guard(chat, e) < 0 ? -1 : pick_session(chat, span_str(""), id, e);

	return r ? r : err_set(e, ERR_INTERRUPTED, "no session was picked");
}

static int open_chat(struct chat *chat, struct err *e)
{
	bool no_store = chat->no_save && !chat->wish.session && !chat->pick && !chat->wish.last;
	struct wish wish = chat->wish;
	char id[ID_SIZE];

	if ((no_store ? tool_load(&chat->tool, e) : tool_open(&chat->tool, false, e)) < 0 ||
	    read_schema(chat, e) < 0 || open_trace(chat, e) < 0)
		return -1;
	show_dress(&chat->show, &chat->tool.config); /* a list to pick from is plain, too */
	if (chat->pick && pick(chat, id, e) < 0)
		return -1;
	if (chat->pick)
		wish.session = id;
	return chat_enter(chat, &wish, e);
}

static void close_chat(struct chat *chat)
{
	int failed = trace_close(&chat->trace);

	if (failed) {
		struct err e = ERR_INIT;

		err_sys(&e, failed, "cannot write the trace '%s'", chat->trace_file);
		say(e.msg);
	}
	show_release(&chat->show);
	files_release(&chat->files);
	buf_release(&chat->schema);
	buf_release(&chat->draft);
	chat_leave(chat);
	tool_close(&chat->tool);
}

/* ---- one turn ---- */

/* A signal that ended the turn ends the process too, as its parent expects. */
static int after_signal(int status)
{
	int sig = stop_signal();

	return sig && sig != SIGINT && status == EXIT_INTERRUPTED ? 128 + sig : status;
}

static int say_once(const struct cli *c, struct chat *chat)
{
	struct err e = ERR_INIT;
	struct buf prompt = BUF_INIT;
	int status;

	/* The way is found first: no session is named that is then not made. */
	if (read_prompt(c, chat, &prompt, &e) < 0 || chat_guard(chat, &e) < 0 ||
	    client_open(&chat->at.client, &e) < 0) {
		status = after_signal(fail(&e));
		show_error(&chat->show, &e, status);
	} else {
		if (with_person() && chat->show.form == SHOW_TEXT)
			print_session_id(chat);
		status = after_signal(chat_turn(chat, buf_span(&prompt)));
	}
	buf_release(&prompt);
	return status;
}

static int run(const struct cli *c)
{
	struct chat chat = {
		.at = CHAT_SESSION_INIT,
		.stop_fd = -1,
		.tool = { .config = CONFIG_INIT, .store = { .fd = -1, .stop_fd = -1 } },
		.schema = BUF_INIT, .draft = BUF_INIT, .cli = c, .files = FILES_INIT, .trace = TRACE_INIT, .show = SHOW_INIT,
	};
	bool talk;
	struct err e = ERR_INIT;
	int status;

	chat.show.terminal = at_terminal();
	chat.files.waiting = tell_waiting;
	if (read_options(c, &chat, &e) < 0) {
		files_release(&chat.files);
		return fail(&e);
	}
	talk = !c->noperands && isatty(STDIN_FILENO) && at_terminal() && chat.show.form == SHOW_TEXT &&
	       !chat.no_stdin;
	chat.one_prompt = !talk && !chat.no_save;
	if (open_chat(&chat, &e) < 0) {
		status = after_signal(fail_session(&chat.tool.store, &e));
		show_error(&chat.show, &e, status);
	} else
		status = talk ? chat_converse(&chat) : say_once(c, &chat);
	close_chat(&chat);
	if (stop_signal() && status == 128 + stop_signal()) {
		/* All is stored. A shell sees by the signal that its loop is to end too. */
		signal(stop_signal(), SIG_DFL);
		raise(stop_signal());
	}
	return status;
}

const struct applet applet_chat = {
	.name = "mc-chat",
	.summary = "send a prompt to a model, or hold a conversation",
	.operands = "[PROMPT…]",
	.operand = ARG_TEXT,
	.opts = opts,
	.run = run,
};
