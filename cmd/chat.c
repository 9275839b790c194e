/* mc-chat: one turn, or a conversation at a terminal. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json.h"
#include "base/utf8.h"
#include "show.h"
#include "store/session.h"
#include "tool.h"
#include "tty/line.h"
#include "tty/stop.h"
#include "turn/turn.h"

enum {
	O_JSON = OPT_LONG, O_EVENTS, O_REASONING, O_SCHEMA, O_CONTEXT, O_TRACE, O_NO_SAVE, O_NO_WAIT,
	O_NO_STREAM, O_NO_STDIN, O_TIMEOUT
};

static const struct opt opts[] = {
	{ 's', "session", "ID", ARG_SESSION, "go on with this session" },
	{ 'c', "continue", NULL, ARG_NONE, "go on with the most recently active session" },
	{ 'n', "new", NULL, ARG_NONE, "create the session when it is missing" },
	{ 'p', "provider", "NAME", ARG_PROVIDER, "the provider of a new session" },
	{ 'm', "model", "NAME", ARG_MODEL, "the model, from this turn on" },
	{ 'S', "system", "TEXT", ARG_TEXT, "the system prompt of a new session" },
	{ 't', "title", "TEXT", ARG_TEXT, "the session's title" },
	{ 'a', "attach", "FILE", ARG_FILES, "send this file along with the prompt" },
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
	{ O_TIMEOUT, "timeout", "SEC", ARG_TEXT, "give up after so long without a word" },
	{ O_TRACE, "trace", "FILE", ARG_FILE, "append requests, answers and timings to this file" },
	{ 0 },
};

#define TERMINAL_LINE 4095 /* what a terminal's own line editing can hold, on Linux */
#define PROMPT_MAX (32 << 20)
#define SCHEMA_MAX (1 << 20)
#define RECENT 3       /* exchanges shown on resume */
#define RECENT_LINES 6 /* lines of each of their texts */

struct chat {
	/* what was asked for */
	const char *session;
	struct session_choice choice;
	const char *alias;          /* which brought the choice's provider along; or NULL */
	const char *schema_file, *trace_file;
	const struct cli *cli;      /* its -o go over the parameters of the settings */
	struct files files;         /* for the next prompt, and those known from earlier ones */
	bool last, create, no_save, no_wait, no_stdin;
	long timeout, context;

	/* where it goes on */
	struct tool tool;
	struct talk how;
	char id[ID_SIZE];
	bool exists;            /* the session is on the disk */
	struct buf cwd;
	struct session_head head;   /* of a new session */
	struct conversation so_far; /* of a turn that is not saved */
	int stop_fd;

	struct buf schema, found_model;
	struct trace trace;
	struct show show;
};

/* ---- the command line ---- */

/* Read at once, so that nothing is made or sent for one that cannot be. */
static int attach(struct chat *chat, const char *path, struct err *e)
{
	if (strcmp(path, "-") == 0)
		return err_set(e, ERR_USAGE, "-a takes a file: what comes by standard input is the prompt "
		               "(a file of that name is './-')");
	return files_attach(&chat->files, path, e);
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
		case 's': chat->session = val; break;
		case 'c': chat->last = true; break;
		case 'n': chat->create = true; break;
		case 'p': chat->choice.provider = val; break;
		case 'm': chat->choice.model = val; break;
		case 'S': chat->choice.system = val; break;
		case 't': chat->choice.title = val; break;
		case 'a':
			if (attach(chat, val, e) < 0)
				return -1;
			break;
		case 'o':
			if (check_param(val, e) < 0)
				return err_prefix(e, "-o");
			break;
		case O_SCHEMA: chat->schema_file = val; break;
		case O_CONTEXT:
			if (cli_number(val, "--context", CONFIG_CONTEXT_MIN, CONFIG_CONTEXT_MAX, &chat->context, e) < 0)
				return -1;
			break;
		case O_REASONING: chat->how.reasoning = chat->show.reasoning = true; break;
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
		case O_NO_STREAM: chat->how.stream = false; break;
		case O_NO_STDIN: chat->no_stdin = true; break;
		case O_TIMEOUT:
			if (cli_number(val, "--timeout", 1, CONFIG_TIMEOUT_MAX, &chat->timeout, e) < 0)
				return -1;
		}
	}
	if (chat->session && chat->last)
		return err_set(e, ERR_USAGE, "--session and --continue exclude each other");
	return check_choice(&chat->choice, e);
}

static int check_prompt(struct span p, struct err *e)
{
	size_t bad = utf8_valid(p.p, p.n), i = 0;

	if (bad < p.n)
		return err_set(e, ERR_USAGE, "the prompt is not valid UTF-8 (at byte %zu)", bad + 1);
	if (memchr(p.p, '\0', p.n))
		return err_set(e, ERR_USAGE, "the prompt holds a NUL character; is it a binary file?");
	while (i < p.n && strchr(" \t\r\n", p.p[i]))
		i++;
	return i < p.n ? 0 : err_set(e, ERR_USAGE, "the prompt is empty");
}

/* The operands, joined by spaces, then standard input, set off by an empty line. */
static int read_prompt(const struct cli *c, const struct chat *chat, struct buf *prompt,
                       struct err *e)
{
	for (size_t i = 0; i < c->noperands; i++)
		buf_addf(prompt, "%s%s", i ? " " : "", c->operands[i]);
	if (!chat->no_stdin && (!c->noperands || !isatty(STDIN_FILENO))) {
		struct buf in = BUF_INIT;
		int r = io_read_all(STDIN_FILENO, &in, PROMPT_MAX);

		if (r < 0 && errno == EFBIG)
			err_set(e, ERR_USAGE, "the prompt is larger than %d MiB", PROMPT_MAX >> 20);
		else if (r < 0 && errno != EBADF) /* a closed stdin is an empty one */
			err_sys(e, errno, "cannot read standard input");
		while (in.n && in.p[in.n - 1] == '\n')
			in.n--;
		if (in.n && prompt->n)
			buf_adds(prompt, "\n\n");
		buf_add(prompt, in.p, in.n);
		buf_release(&in);
	}
	if (e->kind != ERR_NONE || buf_check(prompt, e) < 0)
		return -1;
	return check_prompt(buf_span(prompt), e);
}

static void say_waiting(void *ctx, pid_t holder)
{
	const struct chat *chat = ctx;

	say_in_use(chat->id, holder);
}

/* ---- which session ---- */

static int provider_stays(const struct chat *chat, struct span stored, struct err *e)
{
	const char *asked = chat->choice.provider;

	if (!asked || span_eq(stored, asked))
		return 0;
	if (chat->alias)
		return err_set(e, ERR_FAILED, "'%s' stands for a model of %s, and session '%s' keeps its "
		               "provider, %.*s; start a new session for it", chat->alias, asked, chat->id,
		               (int)stored.n, stored.p);
	return err_set(e, ERR_FAILED,
	               "session '%s' keeps its provider, %.*s; leave -p out, or start a new session "
	               "with -p %s", chat->id, (int)stored.n, stored.p, asked);
}

static int system_stays(const struct chat *chat, struct span stored, struct err *e)
{
	if (!chat->choice.system || (stored.p && span_eq(stored, chat->choice.system)))
		return 0;
	return err_set(e, ERR_FAILED,
	               "session '%s' keeps its system prompt; leave -S out, or start a new session",
	               chat->id);
}

/* A server that has one model only needs no name for it; of a local one, any will do. */
struct found {
	struct buf names;
	struct buf first;
	size_t n;
};

static int take_model(void *ctx, const struct model *m, struct err *e)
{
	struct found *f = ctx;

	if (!f->n++)
		buf_add(&f->first, m->id.p, m->id.n);
	if (f->n <= 10)
		buf_addf(&f->names, "%s%.*s", f->n > 1 ? ", " : "", (int)m->id.n, m->id.p);
	return buf_check(&f->first, e);
}

static int ask_for_model(struct chat *chat, struct err *e)
{
	struct endpoint *ep = &chat->how.endpoint;
	struct found f = { BUF_INIT, BUF_INIT, 0 };
	struct err why = ERR_INIT;
	bool local = !ep->base_url;
	int r = talk_open(&chat->how, e);

	if (r == 0)
		endpoint_models(ep, chat->how.http, chat->stop_fd, take_model, &f, &why);
	if (r == 0 && (f.n == 1 || (local && f.n)) && utf8_valid(f.first.p, f.first.n) == f.first.n) {
		buf_add(&chat->found_model, f.first.p, f.first.n);
		chat->choice.model = chat->found_model.p;
	} else if (r == 0) {
		r = err_set(e, ERR_USAGE, "no model is chosen: name one with -m, MC_MODEL or \"model\" in the "
		            "config file%s%s%s", f.n ? "; the server has: "
		            : why.msg[0] ? "; the server's list could not be had: " : "",
		            f.n ? f.names.p : why.msg, f.n > 10 ? " and others" : "");
	}
	buf_release(&f.names);
	buf_release(&f.first);
	return r;
}

/* A session that never had a model takes the settings'. */
static int choose_model(struct chat *chat, struct span stored, struct err *e)
{
	if (chat->choice.model && !*chat->choice.model)
		return err_set(e, ERR_USAGE, "the model's name is empty");
	if (!chat->choice.model && !stored.n)
		chat->choice.model = endpoint_model(&chat->how.endpoint);
	if ((chat->choice.model && *chat->choice.model) || stored.n)
		return 0;
	return ask_for_model(chat, e);
}

static int use_provider(struct chat *chat, struct span stored, struct err *e)
{
	struct buf name = BUF_INIT;
	int r;

	buf_add(&name, stored.p, stored.n);
	r = buf_check(&name, e);
	if (r == 0)
		r = endpoint_find(&chat->how.endpoint, &chat->tool.config, name.p, e);
	if (r == 0)
		r = endpoint_params(&chat->how.endpoint, &chat->how.params, e);
	for (size_t i = 0; r == 0 && i < chat->cli->nopts; i++)
		if (chat->cli->opts[i].id == 'o')
			r = params_add(&chat->how.params, chat->cli->opts[i].val, e);
	buf_release(&name);
	return r;
}

static int load_so_far(struct chat *chat, struct err *e)
{
	const struct store *s = &chat->tool.store;
	struct jsonl j;
	int r;

	if (session_recover(s, chat->id, e) < 0 || history_map(s, chat->id, &j, e) < 0)
		return -1;
	r = conversation_load(&chat->so_far, s, chat->id, &j, e);
	jsonl_unmap(&j); /* the records are copies */
	return r;
}

static int resume(struct chat *chat, struct err *e)
{
	const struct session_head *head;

	if (load_so_far(chat, e) < 0)
		return -1;
	head = &chat->so_far.head.head;
	if (provider_stays(chat, head->provider, e) < 0 || system_stays(chat, head->system, e) < 0 ||
	    use_provider(chat, head->provider, e) < 0)
		return -1;
	chat->exists = true;
	chat->head = *head;
	chat->head.model = chat->so_far.summary.model; /* as they are now, should it have to be */
	chat->head.title = chat->so_far.summary.title; /* created again */
	return choose_model(chat, chat->so_far.summary.model, e);
}

/* The id is chosen now and can be told; the session is made with its first turn, so
 * that a chat that says nothing leaves nothing. */
static int start(struct chat *chat, struct err *e)
{
	chat->head.created_at = clock_now_ms();
	if (describe_session(&chat->head, &chat->choice, &chat->tool.config, &chat->cwd, e) < 0 ||
	    use_provider(chat, chat->head.provider, e) < 0 ||
	    choose_model(chat, chat->head.model, e) < 0)
		return -1;
	if (chat->choice.model)
		chat->head.model = span_str(chat->choice.model);
	if (!chat->session)
		return id_generate(chat->id, e);
	snprintf(chat->id, ID_SIZE, "%s", chat->session);
	return 0;
}

/* 1: an existing one, its id in chat->id. 0: a new one is to be made. */
static int find_session(struct chat *chat, struct err *e)
{
	const struct store *s = &chat->tool.store;
	int r;

	if (!chat->session && !chat->last)
		return 0;
	if (chat->session && id_check(chat->session, e) < 0)
		return -1;
	if (chat->session && chat->create && !session_exists(s, chat->session))
		return 0; /* what is to be created is named in full, not by a beginning */
	r = chat->last ? session_latest(s, chat->id, e) : session_resolve(s, chat->session, chat->id, e);
	if (r == 0)
		return 1;
	if (e->kind != ERR_NOT_FOUND || !chat->create)
		return -1;
	err_clear(e);
	return 0;
}

static int take_alias(struct chat *chat, struct err *e)
{
	const char *name = chat->choice.provider ? NULL : chat->choice.model;

	if (resolve_alias(&chat->choice, &chat->tool.config, e) < 0)
		return -1;
	chat->alias = chat->choice.provider ? name : NULL;
	return 0;
}

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
	if (r < 0)
		err_sys(e, errno, "cannot read the schema '%s'", chat->schema_file);
	else if ((r = json_parse_object(buf_span(&chat->schema), &o, e)) < 0)
		e->kind = ERR_USAGE, err_prefix(e, "the schema '%s'", chat->schema_file);
	else
		json_object_put(o);
	close(fd);
	chat->how.schema = buf_span(&chat->schema);
	return r;
}

static int open_trace(struct chat *chat, struct err *e)
{
	if (!chat->trace_file)
		return 0;
	chat->how.trace = &chat->trace;
	return trace_open(&chat->trace, chat->trace_file, e);
}

static int open_chat(struct chat *chat, struct err *e)
{
	const struct config *cfg = &chat->tool.config;
	bool no_store = chat->no_save && !chat->session && !chat->last;
	int found;

	if ((no_store ? tool_load(&chat->tool, e) : tool_open(&chat->tool, false, e)) < 0 ||
	    take_alias(chat, e) < 0 ||
	    read_schema(chat, e) < 0 || open_trace(chat, e) < 0)
		return -1;
	chat->how.idle_timeout = chat->timeout ? chat->timeout : (long)cfg->timeout;
	chat->how.show = show_piece;
	chat->how.wait = show_wait;
	chat->how.ctx = &chat->show;
	found = find_session(chat, e);
	if (found < 0)
		return -1;
	return found ? resume(chat, e) : start(chat, e);
}

static void close_chat(struct chat *chat)
{
	if (chat->trace.failed) {
		struct err e = ERR_INIT;

		err_sys(&e, chat->trace.failed, "cannot write the trace '%s'", chat->trace_file);
		say(e.msg);
	}
	trace_close(&chat->trace);
	show_release(&chat->show);
	files_release(&chat->files);
	buf_release(&chat->schema);
	buf_release(&chat->found_model);
	conversation_release(&chat->so_far);
	buf_release(&chat->cwd);
	talk_close(&chat->how);
	tool_close(&chat->tool);
}

/* ---- a turn ---- */

static int create(struct chat *chat, struct err *e)
{
	struct store *s = &chat->tool.store;

	if (s->fd < 0 && store_open(s, chat->tool.config.sessions_dir, true, e) < 0)
		return -1;
	chat->head.id = span_str(chat->id);
	if (session_create(s, &chat->head, chat->id, e) < 0) {
		/* Another process was faster: for -n that is as good. */
		if (e->kind != ERR_EXISTS || !chat->create || chat->choice.system)
			return -1;
		err_clear(e);
	}
	chat->exists = true;
	return 0;
}

/* The session was removed by another process. What is said is not lost. */
static int create_again(struct chat *chat, struct err *e)
{
	char old[ID_SIZE];

	memcpy(old, chat->id, sizeof(old));
	chat->head.created_at = clock_now_ms();
	if (id_generate(chat->id, e) < 0 || create(chat, e) < 0)
		return -1;
	store_notice(&chat->tool.store, "session '%s' was removed; this goes on as session '%s'", old,
	             chat->id);
	return 0;
}

static int run_saved(struct chat *chat, struct turn *t, struct err *e)
{
	const struct store *s = &chat->tool.store;
	struct err lost = ERR_INIT;
	int r;

	/* Nothing is made for a prompt that cannot be sent. */
	if (!chat->exists && (turn_check(t, &chat->how, s, &chat->head, e) < 0 || create(chat, e) < 0))
		return -1;
	r = turn_run(t, &chat->how, s, chat->id, e);
	if (r < 0 && e->kind == ERR_NOT_FOUND && !t->begun) {
		err_clear(e);
		r = create_again(chat, e) < 0 ? -1 : turn_run(t, &chat->how, s, chat->id, e);
	}
	if (t->homeless && (create_again(chat, &lost) < 0 || turn_store(t, s, chat->id, &lost) < 0)) {
		lost.kind = ERR_UNSTORED;
		*e = lost;
		r = -1;
	}
	return r;
}

static void tell_started(void *ctx, const struct turn *t)
{
	struct chat *chat = ctx;

	show_started(&chat->show, t, chat->how.endpoint.name);
}

static void tell_compacting(void *ctx, size_t n, const struct err *why)
{
	(void)ctx;
	show_compacting(n, why);
}

static int run_turn(struct chat *chat, struct span prompt)
{
	struct err e = ERR_INIT;
	struct turn t = {
		.model = chat->choice.model,
		.title = chat->choice.title,
		.prompt = prompt,
		.files = &chat->files,
		.wait = { .no_wait = chat->no_wait, .stop_fd = chat->stop_fd, .waiting = say_waiting,
		          .ctx = chat },
		.context = chat->context,
		.started = tell_started, .compacting = tell_compacting, .ctx = chat,
		.reply = REPLY_INIT, .error = BUF_INIT, .model_used = BUF_INIT,
	};
	struct buf model = BUF_INIT;
	int r, status;

	chat->show.session = chat->no_save ? NULL : chat->id;
	if (chat->no_save) {
		struct span stored = chat->exists ? chat->so_far.summary.model : chat->head.model;

		buf_add(&model, stored.p, stored.n);
		t.model = t.model ? t.model : model.p;
		t.system = chat->head.system;
		r = turn_run_unsaved(&t, &chat->how, &chat->tool.store, chat->exists ? chat->id : NULL,
		                     &chat->so_far, &e);
	} else {
		r = run_saved(chat, &t, &e);
		/* They are remembered now; if somebody changes them again, that counts. */
		if (t.begun)
			chat->choice.model = chat->choice.title = NULL;
	}
	status = r < 0 ? exit_status(&e) : EXIT_DONE;
	show_ended(&chat->show, &t, r, &e, status);
	/* Files that the model has not answered to go along with the next prompt, too. */
	if (t.begun && exchange_counts(&t.exchange))
		files_detach(&chat->files);
	turn_release(&t);
	buf_release(&model);
	/* The terminal's ^C stands where the sentence is to begin. */
	if (e.kind == ERR_INTERRUPTED && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	if (r < 0)
		return fail(&e);
	return chat->show.write_error && chat->show.write_error != EPIPE
	               ? output_failed(chat->show.write_error) : EXIT_DONE;
}

/* From here on a signal ends the turn, which is stored, and not the process; and a
 * reader that leaves the pipe ends nothing. */
static int guard_turns(struct chat *chat, struct err *e)
{
	signal(SIGPIPE, SIG_IGN);
	chat->stop_fd = chat->how.stop_fd = stop_begin(e);
	chat->tool.store.stop_fd = chat->stop_fd;
	return chat->stop_fd < 0 ? -1 : 0;
}

/* A signal that ended the turn ends the process too, as its parent expects. */
static int after_signal(int status)
{
	int sig = stop_signal();

	return sig && sig != SIGINT && status == EXIT_INTERRUPTED ? 128 + sig : status;
}

/* ---- at a terminal ---- */

static void print_session_line(const struct chat *chat)
{
	if (chat->no_save)
		return;
	if (chat->exists)
		fprintf(stderr, "Session: %s (resumed, %lld exchange%s)\n", chat->id,
		        (long long)chat->so_far.summary.exchange_count,
		        chat->so_far.summary.exchange_count == 1 ? "" : "s");
	else
		fprintf(stderr, "Session: %s\n", chat->id);
}

static void print_recent(const struct conversation *c)
{
	for (size_t i = c->n > RECENT ? c->n - RECENT : 0; i < c->n; i++) {
		fputc('\n', stderr);
		print_exchange(stderr, &c->turns[i].exchange, RECENT_LINES, true);
	}
	if (c->n)
		fputc('\n', stderr);
}

static bool is_command(struct span line, bool *leave)
{
	struct buf b = BUF_INIT;

	*leave = span_eq(line, "/exit");
	if (!line.n || line.p[0] != '/' || *leave)
		return *leave;
	buf_addf(&b, "unknown command '%.*s'; /exit leaves (a prompt may start with a space and then "
	         "a slash)", (int)line.n, line.p);
	say(b.p);
	buf_release(&b);
	return true;
}

/* One line and what it asks for. False when the user leaves. */
static bool answer(struct chat *chat, struct span line)
{
	struct err e = ERR_INIT;
	bool leave, blank = true;

	for (size_t i = 0; i < line.n; i++)
		blank = blank && strchr(" \t\r", line.p[i]);
	if (blank)
		return true;
	if (is_command(line, &leave))
		return !leave;
	if (line.n >= TERMINAL_LINE)
		err_set(&e, ERR_USAGE, "a terminal cuts lines at %d bytes, so this one may lack its end; "
		        "pipe longer text in", TERMINAL_LINE);
	if (e.kind != ERR_NONE || check_prompt(line, &e) < 0)
		fail(&e);
	else
		run_turn(chat, line);
	/* Only Ctrl-C means "back to the prompt". */
	return !stop_signal() || stop_signal() == SIGINT;
}

static int converse(struct chat *chat)
{
	struct line_reader in = LINE_READER(STDIN_FILENO, chat->stop_fd);
	struct buf line = BUF_INIT;
	int status = EXIT_DONE, interrupts = 0, got;

	for (;;) {
		struct err e = ERR_INIT;

		stop_clear();
		fputs("> ", stderr);
		got = line_read(&in, &line, &e);
		if (got > 0) {
			interrupts = 0;
			if (!answer(chat, buf_span(&line)))
				break;
		} else if (got < 0 && e.kind == ERR_INTERRUPTED && stop_signal() == SIGINT && !interrupts++) {
			fputs("\n(Ctrl-C again leaves; so does Ctrl-D)\n", stderr);
		} else {
			fputc('\n', stderr);
			status = got == 0 ? EXIT_DONE : e.kind == ERR_INTERRUPTED ? EXIT_INTERRUPTED : fail(&e);
			break;
		}
	}
	buf_release(&line);
	line_release(&in);
	return stop_signal() && stop_signal() != SIGINT ? 128 + stop_signal() : status;
}

static int hold_conversation(struct chat *chat)
{
	struct err e = ERR_INIT;

	if (guard_turns(chat, &e) < 0)
		return fail(&e);
	print_session_line(chat);
	print_recent(&chat->so_far);
	print_attachments(stderr, chat->files.refs, chat->files.nrefs, 0, true);
	return converse(chat);
}

static int say_once(const struct cli *c, struct chat *chat)
{
	struct err e = ERR_INIT;
	struct buf prompt = BUF_INIT;
	int status;

	/* The way is found first: no session is named that is then not made. */
	if (read_prompt(c, chat, &prompt, &e) < 0 || guard_turns(chat, &e) < 0 ||
	    talk_open(&chat->how, &e) < 0) {
		status = after_signal(fail(&e));
		show_error(&chat->show, &e, status);
	} else {
		if (with_person() && chat->show.form == SHOW_TEXT)
			print_session_line(chat);
		status = after_signal(run_turn(chat, buf_span(&prompt)));
	}
	buf_release(&prompt);
	return status;
}

static int run(const struct cli *c)
{
	struct chat chat = {
		.how = TALK_INIT,
		.stop_fd = -1,
		.tool = { .config = CONFIG_INIT, .store = { .fd = -1, .stop_fd = -1 } },
		.so_far = CONVERSATION_INIT, .cwd = BUF_INIT, .schema = BUF_INIT, .found_model = BUF_INIT,
		.cli = c, .files = FILES_INIT, .trace = TRACE_INIT, .show = SHOW_INIT,
	};
	bool talk = !c->noperands && isatty(STDIN_FILENO) && at_terminal();
	struct err e = ERR_INIT;
	int status;

	chat.show.terminal = at_terminal();
	if (read_options(c, &chat, &e) < 0) {
		files_release(&chat.files);
		return fail(&e);
	}
	if (open_chat(&chat, &e) < 0) {
		status = fail_session(&chat.tool.store, &e);
		show_error(&chat.show, &e, status);
	} else
		status = talk && chat.show.form == SHOW_TEXT && !chat.no_stdin ? hold_conversation(&chat) : say_once(c, &chat);
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
	.opts = opts,
	.run = run,
};
