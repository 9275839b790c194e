/* mc-chat: one turn, or a conversation at a terminal. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applet.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/utf8.h"
#include "store/session.h"
#include "tool.h"
#include "tty/line.h"
#include "tty/neutral.h"
#include "tty/stop.h"
#include "turn/turn.h"

enum { O_JSON = OPT_LONG, O_NO_SAVE, O_NO_WAIT, O_NO_STREAM, O_NO_STDIN, O_TIMEOUT };

static const struct opt opts[] = {
	{ 's', "session", "ID", ARG_SESSION, "go on with this session" },
	{ 'c', "continue", NULL, ARG_NONE, "go on with the most recently active session" },
	{ 'n', "new", NULL, ARG_NONE, "create the session when it is missing" },
	{ 'p', "provider", "NAME", ARG_PROVIDER, "the provider of a new session" },
	{ 'm', "model", "NAME", ARG_TEXT, "the model, from this turn on" },
	{ 'S', "system", "TEXT", ARG_TEXT, "the system prompt of a new session" },
	{ 't', "title", "TEXT", ARG_TEXT, "the session's title" },
	{ O_JSON, "json", NULL, ARG_NONE, "print the exchange's record instead of the reply" },
	{ O_NO_SAVE, "no-save", NULL, ARG_NONE, "store nothing" },
	{ O_NO_WAIT, "no-wait", NULL, ARG_NONE, "fail when the session is busy" },
	{ O_NO_STREAM, "no-stream", NULL, ARG_NONE, "ask for the reply in one piece" },
	{ O_NO_STDIN, "no-stdin", NULL, ARG_NONE, "leave standard input alone" },
	{ O_TIMEOUT, "timeout", "SEC", ARG_TEXT, "give up after so long without a word" },
	{ 0 },
};

#define TERMINAL_LINE 4095 /* what a terminal's own line editing can hold, on Linux */
#define PROMPT_MAX (32 << 20)
#define RECENT 3       /* exchanges shown on resume */
#define RECENT_LINES 6 /* lines of each of their texts */

struct chat {
	/* what was asked for */
	const char *session;
	struct session_choice choice;
	bool last, create, json, no_save, no_wait, no_stdin;
	long timeout;

	/* where it goes on */
	struct tool tool;
	struct talk how;
	char id[ID_SIZE];
	bool exists;            /* the session is on the disk */
	struct buf cwd;
	struct session_head head;   /* of a new session */
	struct conversation so_far; /* of a turn that is not saved */
	int stop_fd;

	/* the screen */
	struct neutral neutral;
	bool terminal, mid_line;
	int write_error; /* errno of the first failed write of the reply */
};

/* ---- the command line ---- */

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
		case O_JSON: chat->json = true; break;
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

/* ---- the screen ---- */

static void put(struct chat *chat, struct span s)
{
	if (!s.n || chat->write_error)
		return;
	if (io_write(STDOUT_FILENO, s.p, s.n) < 0)
		chat->write_error = errno;
	chat->mid_line = s.p[s.n - 1] != '\n';
}

static void note_oom(struct chat *chat, const struct buf *b)
{
	if (b->oom && !chat->write_error)
		chat->write_error = ENOMEM;
}

/* One write for each piece, so that it is there when it has arrived. */
static void show(void *ctx, struct span piece)
{
	struct chat *chat = ctx;
	struct buf harmless = BUF_INIT;

	if (chat->json)
		return;
	if (chat->terminal) {
		neutral_feed(&chat->neutral, &harmless, piece);
		piece = buf_span(&harmless);
	}
	note_oom(chat, &harmless);
	put(chat, piece);
	buf_release(&harmless);
}

static void end_reply(struct chat *chat)
{
	struct buf rest = BUF_INIT;

	neutral_end(&chat->neutral, &rest);
	put(chat, buf_span(&rest));
	if (chat->mid_line)
		put(chat, span_str("\n"));
	chat->mid_line = false;
	buf_release(&rest);
}

static void print_turn(struct chat *chat, const struct turn *t)
{
	struct buf b = BUF_INIT, harmless = BUF_INIT;

	buf_addc(&b, '{');
	if (!chat->no_save)
		buf_addf(&b, "\"session\":\"%s\",", chat->id);
	record_add_exchange_members(&b, &t->exchange);
	buf_adds(&b, "}\n");
	if (chat->terminal)
		neutral_add_json(&harmless, buf_span(&b));
	note_oom(chat, &b);
	note_oom(chat, &harmless);
	put(chat, chat->terminal ? buf_span(&harmless) : buf_span(&b));
	buf_release(&b);
	buf_release(&harmless);
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

/* A session that never had a model takes the settings'. */
static int choose_model(struct chat *chat, struct span stored, struct err *e)
{
	const struct provider *p = chat->how.provider;

	if (!chat->choice.model && !stored.n)
		chat->choice.model = settings_model(&chat->tool.config, p->name);
	if (!chat->choice.model && !stored.n)
		chat->choice.model = p->model;
	if ((chat->choice.model && *chat->choice.model) || (!chat->choice.model && stored.n))
		return 0;
	return err_set(e, ERR_USAGE,
	               "no model is chosen: name one with -m, MC_MODEL or \"model\" in the config file");
}

static int use_provider(struct chat *chat, struct span stored, struct err *e)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)stored.n, stored.p);
	chat->how.provider = provider_find(name);
	return chat->how.provider ? 0 : err_set(e, ERR_USAGE, "unknown provider '%s'", name);
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

static int open_chat(struct chat *chat, struct err *e)
{
	const struct config *cfg = &chat->tool.config;
	int found;

	if (tool_open(&chat->tool, false, e) < 0)
		return -1;
	chat->how.base_url = cfg->base_url;
	chat->how.api_key = cfg->api_key;
	chat->how.idle_timeout = chat->timeout ? chat->timeout : cfg->timeout;
	chat->how.show = show;
	chat->how.ctx = chat;
	found = find_session(chat, e);
	if (found < 0)
		return -1;
	return found ? resume(chat, e) : start(chat, e);
}

static void close_chat(struct chat *chat)
{
	conversation_release(&chat->so_far);
	buf_release(&chat->cwd);
	http_close(chat->how.http);
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

	if (!chat->exists && create(chat, e) < 0)
		return -1;
	r = turn_run(t, &chat->how, s, chat->id, e);
	if (r < 0 && e->kind == ERR_NOT_FOUND && !t->exchange.id.n) {
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

static int run_turn(struct chat *chat, struct span prompt)
{
	struct err e = ERR_INIT;
	struct turn t = {
		.model = chat->choice.model,
		.title = chat->choice.title,
		.prompt = prompt,
		.wait = { .no_wait = chat->no_wait, .stop_fd = chat->stop_fd, .waiting = say_waiting,
		          .ctx = chat },
		.reply = REPLY_INIT, .answer = BUF_INIT, .error = BUF_INIT, .model_used = BUF_INIT,
	};
	struct buf model = BUF_INIT;
	int r;

	chat->neutral = (struct neutral)NEUTRAL_INIT;
	if (chat->no_save) {
		struct span stored = chat->exists ? chat->so_far.summary.model : chat->head.model;

		buf_add(&model, stored.p, stored.n);
		t.model = t.model ? t.model : model.p;
		t.system = chat->head.system;
		r = turn_run_unsaved(&t, &chat->how, &chat->so_far, &e);
	} else {
		r = run_saved(chat, &t, &e);
		/* They are remembered now; if somebody changes them again, that counts. */
		if (t.exchange.id.n)
			chat->choice.model = chat->choice.title = NULL;
	}
	end_reply(chat);
	if (chat->json && t.exchange.id.n)
		print_turn(chat, &t);
	turn_release(&t);
	buf_release(&model);
	if (r < 0)
		return fail(&e);
	return chat->write_error && chat->write_error != EPIPE ? output_failed(chat->write_error)
	                                                       : EXIT_DONE;
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
	return converse(chat);
}

static int say_once(const struct cli *c, struct chat *chat)
{
	struct err e = ERR_INIT;
	struct buf prompt = BUF_INIT;
	int status;

	if (read_prompt(c, chat, &prompt, &e) < 0 || guard_turns(chat, &e) < 0) {
		status = fail(&e);
	} else {
		if (with_person() && !chat->json)
			print_session_line(chat);
		status = after_signal(run_turn(chat, buf_span(&prompt)));
	}
	buf_release(&prompt);
	return status;
}

static int run(const struct cli *c)
{
	struct chat chat = {
		.how = { .stream = true, .stop_fd = -1 },
		.tool = { .config = CONFIG_INIT, .store = { .fd = -1, .stop_fd = -1 } },
		.so_far = CONVERSATION_INIT, .cwd = BUF_INIT,
		.neutral = NEUTRAL_INIT,
		.terminal = at_terminal(),
	};
	bool talk = !c->noperands && isatty(STDIN_FILENO) && chat.terminal;
	struct err e = ERR_INIT;
	int status;

	if (read_options(c, &chat, &e) < 0)
		return fail(&e);
	if (open_chat(&chat, &e) < 0)
		status = fail_session(&chat.tool.store, &e);
	else
		status = talk && !chat.json && !chat.no_stdin ? hold_conversation(&chat) : say_once(c, &chat);
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
