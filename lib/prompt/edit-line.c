#include "prompt/edit-line.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "prompt/edit-text.h"
#include "tty/stop.h"

struct readline edit_rl;
struct edit *edit_now;

static FILE *in, *out;
static const char *draft_now; /* what the text begins with; or NULL */

/* ---- the locale ---- */

static const char *utf8_locale; /* in place of the environment's; NULL: that one will do */
static char *lc_all;            /* what the environment had */

/* readline asks the environment for its locale, each time, and our text is UTF-8. */
static void choose_locale(void)
{
	static const char *const names[] = { "C.UTF-8", "en_US.UTF-8", "UTF-8" };

	if (setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (setlocale(LC_CTYPE, names[i])) {
			utf8_locale = names[i];
			return;
		}
}

static void pretend_utf8(void)
{
	const char *was = getenv("LC_ALL");

	if (!utf8_locale)
		return;
	lc_all = was ? strdup(was) : NULL;
	setenv("LC_ALL", utf8_locale, 1);
}

static void stop_pretending(void)
{
	if (!utf8_locale)
		return;
	if (lc_all)
		setenv("LC_ALL", lc_all, 1);
	else
		unsetenv("LC_ALL");
	free(lc_all);
	lc_all = NULL;
}

/* ---- both ends ---- */

/* A way of our own to the terminal, where that can be: readline gives up where another process that
 * shares ours has made it O_NONBLOCK. */
static FILE *stream(int fd, const char *mode, struct err *e)
{
	int own = io_open_again(fd, fcntl(fd, F_GETFL) & O_ACCMODE), copy = own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	FILE *f = copy < 0 ? NULL : fdopen(copy, mode);

	if (!f)
		err_sys(e, errno, "cannot use the terminal");
	if (!f && copy >= 0)
		close(copy);
	return f;
}

static int on_start(void);
static int on_first_key(void);

int edit_line_start(struct edit *ed, struct err *e)
{
	struct readline *rl = &edit_rl;

	if (readline_load(rl, e) < 0)
		return -1;
	edit_now = ed;
	if (!(in = stream(ed->o.fd, "r", e)) || !(out = stream(ed->o.out, "w", e)) ||
	    edit_input_start(e) < 0)
		return -1;
	setvbuf(out, NULL, _IOFBF, 8192); /* readline flushes it when it waits */
	*rl->rl_readline_name = "mc-chat";
	*rl->rl_instream = in;
	*rl->rl_outstream = out;
	choose_locale();
	pretend_utf8();
	rl->rl_initialize();
	stop_pretending();
	*rl->rl_redisplay_function = edit_show;
	*rl->rl_startup_hook = on_start;
	*rl->rl_pre_input_hook = on_first_key;
	edit_complete_setup();
	edit_keys_bind();
	return 0;
}

void edit_line_end(void)
{
	edit_input_end();
	*edit_rl.rl_instream = *edit_rl.rl_outstream = NULL;
	fclose(in);
	fclose(out);
	in = out = NULL;
	edit_now = NULL;
}

/* ---- the screen ---- */

void edit_line_put(const char *s)
{
	fflush(out);
	if (io_write(edit_now->o.out, s, strlen(s)) < 0)
		return; /* the terminal is gone, as the next key will tell */
}

void edit_line_leave(void)
{
	int point = *edit_rl.rl_point;

	*edit_rl.rl_point = *edit_rl.rl_end;
	edit_show();
	edit_rl.rl_crlf();
	*edit_rl.rl_point = point;
	(*edit_rl.rl_deprep_term_function)();
	fflush(out);
	edit_input_signals(false);
}

void edit_line_enter(void)
{
	edit_input_signals(true);
	edit_show_measure();
	(*edit_rl.rl_prep_term_function)(1);
	edit_rl.rl_on_new_line();
	edit_rl.rl_forced_update_display();
	fflush(out);
}

/* ---- one text ---- */

static int on_start(void)
{
	stop_pretending();
	if (draft_now)
		edit_rl.rl_insert_text(draft_now);
	return 0;
}

/* The prompt, and what it may begin with, is drawn once more behind what there is to say. */
static void tell(const struct edit *ed, const struct err *e)
{
	if (!ed->o.failed)
		return;
	edit_line_put("\r\033[J");
	ed->o.failed(ed->o.ctx, e);
	edit_rl.rl_on_new_line();
	edit_rl.rl_forced_update_display();
}

/* The prompt is on the screen: nobody waits for this. */
static int on_first_key(void)
{
	struct edit *ed = edit_now;
	struct err e = ERR_INIT;

	fflush(out);
	ed->bulk = *edit_rl.history_length == 0;
	if (ed->o.recall && ed->o.recall(ed->o.ctx, ed, &e) < 0)
		tell(ed, &e);
	ed->bulk = false;
	edit_rl.using_history();
	return 0;
}

static bool is_stopped(void)
{
	struct pollfd p = { .fd = edit_now->o.stop_fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* Ctrl-C in a line that holds something puts that away, and a fresh one begins. */
static bool is_dropped(void)
{
	bool by_signal = is_stopped() && stop_signal() == SIGINT;

	return edit_now->text.n && (edit_input.interrupted || by_signal);
}

void edit_line_give_up(void)
{
	buf_clear(&edit_now->text);
	buf_add(&edit_now->text, *edit_rl.rl_line_buffer, (size_t)*edit_rl.rl_end);
	*edit_rl.rl_point = *edit_rl.rl_end;
	edit_show();
	edit_input.keep_mode = is_dropped();
	if (edit_input.keep_mode)
		edit_line_put("^C\n"); /* nobody else echoes it */
}

/* Whether there is a line, in ed->text. */
static bool read_line(struct edit *ed, const char *prompt, const char *draft)
{
	char *line;

	edit_input_begin();
	edit_show_anew();
	edit_show_measure();
	draft_now = draft;
	pretend_utf8();
	line = edit_rl.readline(prompt);
	fflush(out);
	if (!line)
		return false;
	buf_clear(&ed->text);
	buf_adds(&ed->text, line);
	free(line);
	return !edit_input.gone; /* or else nobody sent it */
}

static void put_away(struct edit *ed)
{
	struct span text = buf_span(&ed->text);

	if (ed->o.typed && !span_is_blank(text))
		ed->o.typed(ed->o.ctx, text);
	edit_line_recall(ed, text);
	buf_clear(&ed->text);
	ed->dropped = true;
	stop_clear();
}

/* -1: interrupted. 0: the end of all input. */
static int end_of_keys(struct err *e)
{
	/* As the terminal would have done it, to all that run with us. */
	if (edit_input.interrupted && !is_stopped())
		kill(0, SIGINT);
	return edit_input.interrupted || is_stopped() ? err_set(e, ERR_INTERRUPTED, "interrupted") : 0;
}

int edit_line_read(struct edit *ed, const char *prompt, const char *draft, struct err *e)
{
	bool got;

	edit_now = ed;
	edit_input_signals(true);
	while (!(got = read_line(ed, prompt, draft)) && edit_input.keep_mode) {
		put_away(ed);
		draft = NULL;
	}
	edit_input_signals(false);
	if (!got)
		return buf_check(&ed->text, e) < 0 ? -1 : end_of_keys(e);
	edit_line_recall(ed, buf_span(&ed->text));
	return buf_check(&ed->text, e) < 0 ? -1 : 1;
}

/* ---- what Up brings back ---- */

/* What an edited line of the past could be undone with goes with it. */
static void free_entry(HIST_ENTRY *h)
{
	UNDO_LIST *u = (UNDO_LIST *)edit_rl.free_history_entry(h), *next;

	for (; u; u = next) {
		next = u->next;
		if (u->what == UNDO_DELETE)
			free(u->text);
		free(u);
	}
}

void edit_line_recall(struct edit *ed, struct span text)
{
	struct buf copy = BUF_INIT;

	buf_add(&copy, text.p, text.n);
	if (!copy.oom && !span_is_blank(text)) {
		/* The oldest first: a file that is read once more has them in this order. */
		for (int i = 0; !ed->bulk && i < *edit_rl.history_length; i++) {
			const HIST_ENTRY *h = edit_rl.history_get(*edit_rl.history_base + i);

			if (h && strcmp(h->line, copy.p) == 0) {
				free_entry(edit_rl.remove_history(i));
				break;
			}
		}
		edit_rl.add_history(copy.p);
	}
	buf_release(&copy);
}
