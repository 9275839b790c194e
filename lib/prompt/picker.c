#include "prompt/picker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "tty/mode.h"
#include "prompt/picker-parts.h"
#include "prompt/screen.h"

#define SLICE 2000     /* items that are looked at before the keys are: about 1 ms */
#define AT_ONCE 4096   /* bytes that are read before a frame is drawn */
#define PATIENCE_MS 20 /* what a frame waits for rows to fill it */
#define REDRAW_MS 60   /* between frames that only count on */

struct running {
	struct picker list;
	struct keys keys;
	struct screen screen;
	const struct picker_terminal *t;
	struct termios before, raw;
	sigset_t unblocked;
	bool stale;        /* what is shown is not what is */
	bool typed;        /* … because of a key, */
	int64_t typed_at;  /* pressed then */
	int64_t drawn_at;
	int64_t read_at;   /* the last byte came then */
};

/* ---- the terminal ---- */

/* A key is a byte then, or several; Ctrl-C and Ctrl-Z are, too, so that what is on the
 * screen goes first. What was typed ahead stays. */
static int be_raw(struct running *r, struct err *e)
{
	struct termios *t = &r->raw;

	if (tcgetattr(r->t->in, &r->before) < 0)
		return err_sys(e, errno, "cannot use the terminal");
	*t = r->before;
	t->c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
	t->c_iflag &= ~(tcflag_t)(IXON | ISTRIP | INLCR | IGNCR);
	t->c_iflag |= ICRNL; /* what is not read here is a line to who reads it next */
	t->c_cc[VMIN] = 0;
	t->c_cc[VTIME] = 0;
	if (tcsetattr(r->t->in, TCSADRAIN, t) < 0)
		return err_sys(e, errno, "cannot use the terminal");
	return 0;
}

/* Nobody asked this process when it was stopped by SIGSTOP, and the shell has set the
 * terminal as it likes it. */
static void be_raw_still(const struct running *r)
{
	struct termios now;

	if (tcgetattr(r->t->in, &now) == 0 && (now.c_lflag & ICANON))
		tcsetattr(r->t->in, TCSADRAIN, &r->raw);
}

static void give_back(struct running *r)
{
	screen_hide(&r->screen);
	tcsetattr(r->t->in, TCSADRAIN, &r->before);
}

/* As the terminal itself would do it at this key. */
static int suspend(struct running *r, struct err *e)
{
	give_back(r);
	kill(0, SIGTSTP);
	r->stale = r->typed = true;
	return be_raw(r, e);
}

static void wake(int sig)
{
	(void)sig; /* only so that ppoll() returns */
}

static const int waking[] = { SIGWINCH, SIGCONT };
#define NWAKING (sizeof(waking) / sizeof(waking[0]))

/* They are let through while nothing else is done. */
static void wake_by_signals(struct running *r, struct sigaction *old)
{
	struct sigaction sa = { .sa_handler = wake };
	sigset_t set;

	sigemptyset(&set);
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < NWAKING; i++) {
		sigaddset(&set, waking[i]);
		sigaction(waking[i], &sa, &old[i]);
	}
	sigprocmask(SIG_BLOCK, &set, &r->unblocked);
}

static void sleep_through_signals(struct running *r, const struct sigaction *old)
{
	for (size_t i = 0; i < NWAKING; i++)
		sigaction(waking[i], &old[i], NULL);
	sigprocmask(SIG_SETMASK, &r->unblocked, NULL);
}

/* ---- drawing ---- */

static int draw(struct running *r, struct err *e)
{
	struct buf *rows;
	size_t column = 0;
	int result = -1;

	screen_measure(&r->screen);
	rows = calloc(r->screen.rows, sizeof(*rows));
	if (!rows)
		return err_oom(e);
	for (size_t i = 0; i < r->screen.rows; i++)
		rows[i] = (struct buf)BUF_INIT;
	if (picker_draw(&r->list, rows, r->screen.rows, r->screen.columns, &column, e) == 0)
		result = screen_draw(&r->screen, rows, column, e);
	for (size_t i = 0; i < r->screen.rows; i++)
		buf_release(&rows[i]);
	free(rows);
	r->drawn_at = clock_steady_ms();
	r->stale = r->typed = false;
	return result;
}

/* A frame after a key waits a moment for what fits, so that the list does not flicker. */
static bool is_due(const struct running *r)
{
	int64_t now = clock_steady_ms();

	if (!r->stale)
		return false;
	if (!picker_busy(&r->list) || !r->drawn_at)
		return true;
	if (r->typed)
		return r->list.kept >= r->screen.rows || now - r->typed_at >= PATIENCE_MS;
	return now - r->drawn_at >= REDRAW_MS;
}

/* Nothing is typed now: looks at more items, and draws what came of the keys. */
static int idle(struct running *r, struct err *e)
{
	bool busy = picker_busy(&r->list);

	if (busy && picker_work(&r->list, SLICE, e) < 0)
		return -1;
	r->stale |= busy;
	return is_due(r) ? draw(r, e) : 0;
}

/* ---- keys ---- */

static enum picker_end press(struct running *r, const struct key *key, struct err *e)
{
	enum picker_end end = picker_key(&r->list, key);

	if (!r->typed)
		r->typed_at = clock_steady_ms();
	r->stale = r->typed = true;
	if (end == PICKER_REDRAW)
		screen_forget(&r->screen);
	else if (end == PICKER_SUSPENDED && suspend(r, e) < 0)
		return PICKER_LEFT;
	else if (end == PICKER_PICKED || end == PICKER_LEFT)
		return end;
	return PICKER_GOES_ON;
}

/* As read(). */
static ssize_t next_byte(const struct running *r, unsigned char *byte)
{
	if (!r->t->ahead || !r->t->ahead->n)
		return read(r->t->in, byte, 1);
	*byte = (unsigned char)*r->t->ahead->p;
	buf_drop(r->t->ahead, 1);
	return 1;
}

/* Byte by byte: what is behind an Enter is for who reads the terminal next. */
static enum picker_end read_keys(struct running *r, struct err *e)
{
	enum picker_end end = PICKER_GOES_ON;
	unsigned char byte;
	struct key key;

	for (int i = 0; i < AT_ONCE && end == PICKER_GOES_ON; i++) {
		ssize_t n = next_byte(r, &byte);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return PICKER_LEFT; /* the terminal went away */
		if (n <= 0)
			break;
		r->read_at = clock_steady_ms();
		if (keys_feed(&r->keys, byte, &key))
			end = press(r, &key, e);
	}
	return end;
}

/* How long to wait for input: until what is held stands alone. */
static int patience(const struct running *r)
{
	int64_t left = r->read_at + KEYS_ALONE_MS - clock_steady_ms();

	if (picker_busy(&r->list) || r->stale)
		return 0;
	return !keys_waiting(&r->keys) ? -1 : left > 0 ? (int)left : 0;
}

static enum picker_end see_if_alone(struct running *r, struct err *e)
{
	struct key key;

	if (!keys_waiting(&r->keys) || clock_steady_ms() - r->read_at < KEYS_ALONE_MS ||
	    !keys_alone(&r->keys, &key))
		return PICKER_GOES_ON;
	return press(r, &key, e);
}

/* One round: a key, a signal, or a bit of work. */
static enum picker_end go_on(struct running *r, struct err *e)
{
	struct pollfd p[2] = {
		{ .fd = r->t->stop_fd, .events = POLLIN },
		{ .fd = r->t->in, .events = POLLIN },
	};
	bool ahead = r->t->ahead && r->t->ahead->n;
	int ms = ahead ? 0 : patience(r), n;
	struct timespec wait = { ms / 1000, ms % 1000 * 1000000L };

	n = ppoll(p, 2, ms < 0 ? NULL : &wait, &r->unblocked);
	if (n < 0 && errno == EINTR) { /* another size, or it goes on after a stop */
		be_raw_still(r);
		screen_forget(&r->screen);
		r->stale = r->typed = true;
		return PICKER_GOES_ON;
	}
	if (n < 0)
		err_sys(e, errno, "cannot wait for input");
	else if (p[0].revents)
		err_set(e, ERR_INTERRUPTED, "interrupted");
	else if ((p[1].revents & POLLIN) || ahead)
		return read_keys(r, e);
	else if (p[1].revents)
		return PICKER_LEFT; /* the terminal went away */
	else if (see_if_alone(r, e) == PICKER_LEFT)
		return PICKER_LEFT;
	else if (idle(r, e) == 0)
		return PICKER_GOES_ON;
	return PICKER_LEFT;
}

static enum picker_end go_on_to_the_end(struct running *r, struct err *e)
{
	struct sigaction old[NWAKING];
	enum picker_end end = PICKER_GOES_ON;

	wake_by_signals(r, old);
	screen_open(&r->screen, r->t->out);
	mode_cover(screen_rescue(&r->screen));
	while (end == PICKER_GOES_ON)
		end = go_on(r, e);
	give_back(r);
	mode_cover(NULL);
	sleep_through_signals(r, old);
	return end;
}

/* In a conversation or not: after a crash the terminal is as it was before. */
static int run(struct running *r, struct err *e)
{
	bool alone = !mode_begun();
	enum picker_end end = PICKER_LEFT;

	if (alone && mode_begin(r->t->in, r->t->out, false, e) < 0)
		return -1;
	if (be_raw(r, e) == 0)
		end = go_on_to_the_end(r, e);
	if (alone)
		mode_end();
	return e->kind != ERR_NONE ? -1 : end == PICKER_PICKED;
}

int picker_run(const struct picker_source *source, const struct picker_terminal *t, size_t *item,
               struct err *e)
{
	struct running r = { .t = t, .keys = KEYS_INIT, .stale = true, .typed = true,
	                     .typed_at = clock_steady_ms() };
	const char *term = env("TERM");
	int result;

	picker_init(&r.list, source);
	picker_filter(&r.list, source->typed);
	if (t->plain || !term || strcmp(term, "dumb") == 0) {
		result = picker_plain(&r.list, t, item, e);
	} else {
		result = run(&r, e);
		*item = picker_item(&r.list);
	}
	picker_release(&r.list);
	return result;
}
