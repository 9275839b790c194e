#include "tty/clip.h"

#include <errno.h>

#include "base/base64.h"
#include "base/child.h"
#include "base/env.h"
#include "base/io.h"
#include "base/utf8.h"

#define LIMIT_MS 5000 /* for a program; some wait for a screen that does not answer */

struct way {
	const char *where;   /* this variable says that it is worth trying; NULL: always */
	bool of_screen;      /* it serves the screen that this machine has */
	bool quiet;          /* its failure is not worth telling */
	const char *how;
	const char *argv[5];
};

/* Without -w, which tmux has since 3.2, it has a buffer of its own only. */
static const struct way ways[] = {
	{ "TMUX", false, true, "tmux", { "tmux", "load-buffer", "-w", "-" } },
	{ "TMUX", false, false, "tmux, into its own buffer only", { "tmux", "load-buffer", "-" } },
	{ "WAYLAND_DISPLAY", true, false, "wl-copy", { "wl-copy" } },
	{ "DISPLAY", true, false, "xclip", { "xclip", "-selection", "clipboard", "-in" } },
	{ "DISPLAY", true, false, "xsel", { "xsel", "--clipboard", "--input" } },
	{ NULL, true, false, "pbcopy", { "pbcopy" } },
};

/* What remote programs put on the clipboard there is of no use, but where ssh leads the display
 * here: then it has a host. */
static bool leads_there(const struct way *w)
{
	const char *display = w->where ? env(w->where) : NULL;

	if (w->where && !display)
		return false;
	if (!w->of_screen || (!env("SSH_TTY") && !env("SSH_CONNECTION")))
		return true;
	return display && strcmp(w->where, "DISPLAY") == 0 && *display != ':' && *display != '/';
}

/* What an X or Wayland program leaves running to answer for the clipboard is not to end with
 * Ctrl-C. */
static int run(const struct clip *c, char *const *argv, struct span text, struct err *e)
{
	struct child program = CHILD_INIT;
	const struct child_wait wait = { .stop_fd = c->stop_fd, .limit = LIMIT_MS };

	program.argv = argv;
	program.envp = c->envp;
	program.quiet = program.apart = true;
	return child_feed(&program, text, &wait, e);
}

static int ask_terminal(const struct clip *c, struct span text, struct err *e)
{
	const char *term = env("TERM");
	struct buf b = BUF_INIT;
	int r;

	if (!term || strcmp(term, "dumb") == 0 || strcmp(term, "linux") == 0)
		return err_set(e, ERR_FAILED, "there is no way to a clipboard from here: the setting "
		               "\"clipboard\" can name a program");
	if (text.n > CLIP_TERMINAL_MAX)
		return err_set(e, ERR_FAILED, "these are %zu bytes, and a terminal takes %d: use /save, or name "
		               "a program with the setting \"clipboard\"", text.n, CLIP_TERMINAL_MAX);
	buf_adds(&b, "\033]52;c;");
	base64_add(&b, text);
	buf_addc(&b, '\a');
	r = buf_check(&b, e);
	if (r == 0 && io_write(c->terminal, b.p, b.n) < 0)
		r = err_sys(e, errno, "cannot write to the terminal");
	buf_release(&b);
	return r;
}

/* 1: done. 0: it failed, and that was told. -1: the user stopped it. */
static int try(const struct clip *c, char *const *argv, bool quiet, struct span text, struct err *e)
{
	struct err why = ERR_INIT;

	if (run(c, argv, text, &why) == 0)
		return 1;
	if (why.kind == ERR_INTERRUPTED) {
		*e = why;
		return -1;
	}
	if (!quiet && c->failed)
		c->failed(c->ctx, argv[0], &why);
	return 0;
}

/* ---- the text ---- */

/* Blank lines at the end, too. */
static size_t without_last_line_end(struct span s)
{
	size_t n = span_trim_end(s, " \t\n").n;

	while (n < s.n && s.p[n] != '\n')
		n++;
	return n;
}

static void add_safe(struct buf *to, struct span text, size_t *left_out)
{
	while (text.n) {
		uint32_t c = 0;
		int len = utf8_decode(text.p, text.n, &c);
		size_t used = len > 0 ? (size_t)len : 1;

		if (len <= 0)
			buf_adds(to, UTF8_REPLACEMENT);
		else if (c == '\r')
			buf_adds(to, text.n > 1 && text.p[1] == '\n' ? "" : "\n");
		else if (c == '\n' || c == '\t' || !utf8_is_control(c))
			buf_add(to, text.p, used);
		else
			(*left_out)++;
		text = (struct span){ text.p + used, text.n - used };
	}
	to->n = without_last_line_end(buf_span(to));
	to->p[to->n] = '\0';
}

static const char *put(const struct clip *c, struct span text, struct err *e)
{
	int r = c->program ? try(c, c->program, false, text, e) : 0;

	if (r)
		return r > 0 ? c->program[0] : NULL;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		char *argv[5];

		if (!leads_there(&ways[i]) || !child_exists(ways[i].argv[0]))
			continue;
		memcpy(argv, ways[i].argv, sizeof(argv));
		r = try(c, argv, ways[i].quiet, text, e);
		if (r)
			return r > 0 ? ways[i].how : NULL;
	}
	return ask_terminal(c, text, e) == 0 ? "the terminal (OSC 52), if it allows that" : NULL;
}

const char *clip_put(struct clip *c, struct span text, struct err *e)
{
	struct buf safe = BUF_INIT;
	const char *how;

	c->left_out = 0;
	add_safe(&safe, text, &c->left_out);
	how = buf_check(&safe, e) < 0 ? NULL : put(c, buf_span(&safe), e);
	buf_release(&safe);
	return how;
}
