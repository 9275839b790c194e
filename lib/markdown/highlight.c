#include "markdown/highlight.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define PATIENCE_MS 250
#define FAILURES 2     /* of a program that is then not asked again */
#define STATE_MAX 128  /* bytes of sequences that are in force at once */

/* Colours are the terminal's own, which are made to be read on its ground. */
static const char *const programs[][10] = {
	{ "batcat", "--no-config", "--style=plain", "--color=always", "--paging=never", "--wrap=never",
	  "--tabs=0", "--theme=ansi", "--language={}", NULL },
	{ "bat", "--no-config", "--style=plain", "--color=always", "--paging=never", "--wrap=never",
	  "--tabs=0", "--theme=ansi", "--language={}", NULL },
	{ "highlight", "--out-format=ansi", "--syntax={}", NULL },
	{ "source-highlight", "--failsafe", "--out-format=esc", "--src-lang={}", NULL },
	{ "pygmentize", "-f", "terminal", "-O", "stripnl=False,ensurenl=False", "-l", "{}", NULL },
};

/* ---- which program ---- */

static const char *const *find_program(void)
{
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (child_exists(programs[i][0]))
			return programs[i];
	return NULL;
}

/* A language's name as people write it, and no option. */
static bool is_language(struct span name)
{
	if (!name.n || name.n > 32 || name.p[0] == '-')
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i], letter = c | 32;

		if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && !strchr("+#._-", c))
			return false;
	}
	return true;
}

/* ---- running it ---- */

#define WORDS 32

/* The words with the language in them, one after the other in `text`. */
static bool make_words(char *argv[WORDS + 1], struct buf *text, const char *const *command,
                       struct span language)
{
	size_t at[WORDS], n = 0;

	for (; n < WORDS && command[n]; n++) {
		const char *word = command[n], *gap = strstr(word, "{}");

		at[n] = text->n;
		if (gap) {
			buf_add(text, word, (size_t)(gap - word));
			buf_add(text, language.p, language.n);
		}
		buf_adds(text, gap ? gap + 2 : word);
		buf_addc(text, '\0');
	}
	for (size_t i = 0; i < n; i++)
		argv[i] = text->p + at[i];
	argv[n] = NULL;
	return n && !command[n] && !text->oom;
}

static bool start(struct highlight *h, char **argv)
{
	struct child *c = &h->child;
	int r;

	*c = (struct child)CHILD_INIT;
	c->argv = argv;
	c->envp = h->environment ? h->environment : environ;
	c->quiet = c->apart = true;
	c->in = c->out = CHILD_PIPE;
	r = child_start(c);
	c->argv = NULL; /* the caller's */
	return r == 0;
}

bool highlight_begin(struct highlight *h, struct span language)
{
	const char *const *command = h->command;
	char *argv[WORDS + 1];
	struct buf text = BUF_INIT;
	bool started;

	highlight_cancel(h);
	if (h->failures >= FAILURES || !is_language(language))
		return false;
	if (!command && !h->looked)
		h->found = find_program();
	h->looked = true;
	command = command ? command : h->found;
	if (!command)
		return false;
	started = make_words(argv, &text, command, language) && start(h, argv);
	buf_release(&text);
	if (!started) {
		highlight_cancel(h);
		h->failures++;
	}
	return started;
}

void highlight_cancel(struct highlight *h)
{
	pid_t pid = h->child.pid;

	child_close(&h->child);
	if (pid > 0) {
		kill(-pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	h->child.pid = -1;
}

void highlight_release(struct highlight *h)
{
	highlight_cancel(h);
}

/* ---- to it and from it ---- */

/* It has a moment to end by itself, for its status. */
static bool ended_well(struct highlight *h, int64_t deadline)
{
	int status = -1;
	pid_t gone;

	while ((gone = waitpid(h->child.pid, &status, WNOHANG)) == 0 && clock_steady_ms() < deadline)
		poll(NULL, 0, 1);
	if (gone == 0)
		return false;
	h->child.pid = -1;
	return gone > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* SIGPIPE is not to end us when it leaves early. */
static bool converse(struct highlight *h, struct span code, size_t limit, struct buf *answer)
{
	const struct child_wait wait = { .stop_fd = -1, .limit = h->patience ? h->patience : PATIENCE_MS };
	int64_t deadline = clock_steady_ms() + wait.limit;
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	struct err ignored = ERR_INIT;
	int r = child_communicate(&h->child, code, answer, limit, &wait, &ignored);

	signal(SIGPIPE, old);
	return r == 0 && ended_well(h, deadline);
}

/* ---- what it says ---- */

enum change { ADDS, RESETS, CLEARS };

/* The length of the sequence at the front if it does nothing but colours and weights; else 0.
 * *change: what comes of the styles that were in force. */
static size_t is_style(struct span s, enum change *change)
{
	size_t i = 2;
	int code = 0, skip = 0;

	*change = ADDS;
	if (s.n < 3 || s.p[0] != '\033' || s.p[1] != '[')
		return 0;
	for (; i < s.n && i < 40; i++) {
		char c = s.p[i];

		if (c >= '0' && c <= '9' && code < 1000) {
			code = code * 10 + c - '0';
			continue;
		}
		if (c != ';' && c != 'm')
			return 0;
		if (skip == 1) /* behind 38 and 48: one of 256 colours, or its three parts */
			skip = code == 5 ? 2 : code == 2 ? 4 : 0;
		else if (skip)
			skip = skip == 2 ? 0 : skip - 1;
		else if (code == 0)
			*change = CLEARS;
		else if (code == 38 || code == 48)
			skip = 1;
		else if (code == 8 || code == 5 || code == 6 || code > 107)
			return 0; /* hidden or blinking */
		if (code && *change == CLEARS)
			*change = RESETS;
		code = 0;
		if (c == 'm')
			return i + 1;
	}
	return 0;
}

/* What the program says, on its way to be lines that stand alone. */
struct reading {
	struct buf *out;
	struct buf state; /* the sequences that are in force */
	bool begun;       /* the line has text */
};

static void take_style(struct reading *r, struct span sequence, enum change change)
{
	if (change != ADDS)
		buf_clear(&r->state);
	if (change != CLEARS)
		buf_add(&r->state, sequence.p, sequence.n);
	if (r->begun)
		buf_add(r->out, sequence.p, sequence.n);
}

static void take_byte(struct reading *r, char c)
{
	if (c == '\n') {
		if (r->begun)
			buf_adds(r->out, "\033[0m");
		r->begun = false;
	} else if (!r->begun) {
		buf_add(r->out, r->state.p, r->state.n);
		r->begun = true;
	}
	buf_addc(r->out, c);
}

/* False: it is not the code. */
static bool take(struct span answer, struct span code, struct buf *out)
{
	struct reading r = { .out = out, .state = BUF_INIT };
	size_t used = 0, n;
	enum change change;
	bool same = true;

	for (size_t i = 0; same && i < answer.n; i += n) {
		n = is_style((struct span){ answer.p + i, answer.n - i }, &change);
		if (n) {
			take_style(&r, (struct span){ answer.p + i, n }, change);
			same = r.state.n < STATE_MAX;
		} else {
			n = 1;
			same = used < code.n && answer.p[i] == code.p[used];
			take_byte(&r, answer.p[i]);
			used++;
		}
	}
	if (same && used + 1 == code.n) { /* some leave out the last end of line */
		take_byte(&r, '\n');
		used++;
	}
	buf_release(&r.state);
	return same && used == code.n && !out->oom;
}

bool highlight_end(struct highlight *h, struct span code, struct buf *out)
{
	struct buf answer = BUF_INIT;
	size_t had = out->n;
	bool ok;

	if (h->child.pid <= 0)
		return false;
	ok = converse(h, code, code.n * 20 + 4096, &answer) && take(buf_span(&answer), code, out);
	highlight_cancel(h);
	h->failures = ok ? 0 : h->failures + 1;
	if (!ok) {
		out->n = had;
		out->oom = false;
	}
	buf_release(&answer);
	return ok;
}
