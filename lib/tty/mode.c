#include "tty/mode.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"

#define QUEUE_FULL 2048    /* of the 4095 bytes that Linux keeps */
#define IN_FLIGHT_MS 5     /* until what waits behind a full queue is in it */
#define RELAXED_MS 1000
#define HURRIED_MS 20
#define TYPED_MAX (64 << 20) /* what is beyond waits in the terminal */
#define ALTERNATE_STACK 65536

#define PASTE_ON "\033[?2004h"
#define PASTE_OFF "\033[?2004l"
/* What may be left of something that was being drawn: its look, a hidden cursor, an update
 * that was to appear at once, marked pastes. */
#define ALL_OFF "\033[0m\033[?25h\033[?2026l" PASTE_OFF

enum state { USUAL, QUIET };

/* The handlers look at these, which do not change once they are in place. */
static int in = -1, out = -1;
static bool paste;
static struct termios modes[QUIET + 1];

static volatile sig_atomic_t state;
static volatile sig_atomic_t away;    /* the shell has set the terminal as it likes it */
static const char *volatile cover;    /* what takes it off the screen */
static volatile sig_atomic_t resumed;
static volatile sig_atomic_t noted;   /* bytes that were typed ahead when a Ctrl-C came */
static volatile sig_atomic_t taken;   /* typed.n, for the handlers */

/* What a handler took. */
static char stash[16384];
static volatile sig_atomic_t stashed;

static struct buf typed = BUF_INIT;

/* ---- setting it; also in signal handlers ---- */

static void put(const char *sequence)
{
	if (out >= 0 && io_write_now(out, sequence, strlen(sequence)) < 0) {
		/* The terminal is gone, and with it what this was about. */
	}
}

/* Where there is no job control, there is no background. */
static bool in_background(void)
{
	pid_t group = tcgetpgrp(in >= 0 ? in : STDOUT_FILENO);

	return group >= 0 && group != getpgrp();
}

static void set(enum state s)
{
	while (tcsetattr(in, TCSANOW, &modes[s]) < 0 && errno == EINTR)
		;
	if (paste)
		put(s == QUIET ? PASTE_ON : PASTE_OFF);
}

static void change(enum state s)
{
	if (in < 0 || (state == (sig_atomic_t)s && !away))
		return;
	if (s == USUAL && away) {
		state = s;
		return;
	}
	state = s;
	set(s); /* in the background this stops the process, and on_continue() comes first */
	away = 0;
}

/* ---- Ctrl-Z ---- */

static int queued(void)
{
	int n = 0;

	return ioctl(in, FIONREAD, &n) < 0 ? 0 : n;
}

/* The shell would take it for a command. */
static void take_from_shell(void)
{
	int left;

	for (left = queued(); left > 0 && (size_t)stashed < sizeof(stash);) {
		size_t room = sizeof(stash) - (size_t)stashed;
		ssize_t n = read(in, stash + stashed, (size_t)left < room ? (size_t)left : room);

		if (n <= 0)
			break;
		stashed += (sig_atomic_t)n;
		left -= (int)n;
	}
}

static void on_stop(int sig)
{
	struct sigaction usual = { .sa_handler = SIG_DFL }, own;
	int saved = errno;
	sigset_t set_of_it, before;

	if (state != USUAL && !in_background()) {
		take_from_shell();
		set(USUAL);
	}
	away = 1;
	sigemptyset(&usual.sa_mask);
	sigemptyset(&set_of_it);
	sigaddset(&set_of_it, sig);
	sigaction(sig, &usual, &own);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set_of_it, &before); /* here it stops */
	sigprocmask(SIG_SETMASK, &before, NULL);
	sigaction(sig, &own, NULL);
	/* Where nobody could let it go on, it was not stopped at all. */
	if (away && state != USUAL && !in_background()) {
		set((enum state)state);
		away = 0;
	}
	resumed = 1;
	errno = saved;
}

/* After any stop, one by SIGSTOP or SIGTTIN too. */
static void on_continue(int sig)
{
	int saved = errno;

	(void)sig;
	resumed = 1;
	away = 1;
	if (!in_background()) {
		if (state != USUAL)
			set((enum state)state);
		away = 0;
	}
	errno = saved;
}

/* ---- a crash ---- */

static const int deadly[] = {
	SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS, SIGTRAP, SIGQUIT, SIGXCPU, SIGUSR1,
	SIGUSR2,
};
#define DEADLY (sizeof(deadly) / sizeof(deadly[0]))

static struct sigaction before_deadly[DEADLY], before_stop, before_continue;

static void put_right(void)
{
	if (!in_background()) { /* an editor may have a mode of its own */
		tcflush(in, TCIFLUSH); /* the shell would take it for commands */
		set(USUAL);
	}
	if (cover)
		put(cover);
	put(ALL_OFF);
}

/* The instruction that it is about would be tried again. */
static bool is_fault(const siginfo_t *info)
{
	int sig = info->si_signo;

	return info->si_code > 0 && (sig == SIGSEGV || sig == SIGBUS || sig == SIGFPE || sig == SIGILL);
}

/* Whoever was to handle it before does so now: a fault happens again, a signal is sent again. */
static void on_death(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	put_right();
	for (size_t i = 0; i < DEADLY; i++)
		if (deadly[i] == sig)
			sigaction(sig, &before_deadly[i], NULL);
	if (!is_fault(info))
		raise(sig);
	errno = saved;
}

/* A stack that has overflown cannot hold the handler. */
static void give_stack(void)
{
	static char room[ALTERNATE_STACK];
	stack_t own = { .ss_sp = room, .ss_size = sizeof(room) }, old;

	if (sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE))
		sigaltstack(&own, NULL);
}

static void handle(int sig, const struct sigaction *new, struct sigaction *old)
{
	if (sigaction(sig, NULL, old) == 0 && old->sa_handler != SIG_IGN)
		sigaction(sig, new, NULL);
}

static void handle_signals(void)
{
	struct sigaction death = { .sa_sigaction = on_death, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	struct sigaction stop = { .sa_handler = on_stop, .sa_flags = SA_RESTART };
	struct sigaction cont = { .sa_handler = on_continue, .sa_flags = SA_RESTART };

	give_stack();
	sigfillset(&death.sa_mask);
	sigemptyset(&stop.sa_mask);
	sigemptyset(&cont.sa_mask);
	for (size_t i = 0; i < DEADLY; i++)
		handle(deadly[i], &death, &before_deadly[i]);
	/* These keep us from the terminal in the background; a parent that ignored them for itself
	 * meant nothing by that. */
	signal(SIGTTIN, SIG_DFL);
	signal(SIGTTOU, SIG_DFL);
	handle(SIGTSTP, &stop, &before_stop);
	handle(SIGCONT, &cont, &before_continue);
}

static void leave_signals(void)
{
	for (size_t i = 0; i < DEADLY; i++)
		sigaction(deadly[i], &before_deadly[i], NULL);
	sigaction(SIGTSTP, &before_stop, NULL);
	sigaction(SIGCONT, &before_continue, NULL);
}

/* ---- the modes ---- */

static void make_modes(const struct termios *found)
{
	struct termios *q = &modes[QUIET];

	modes[USUAL] = *q = *found;
	q->c_lflag &= ~(tcflag_t)(ICANON | ECHO | ECHONL | IEXTEN);
	q->c_lflag |= ISIG | NOFLSH;
	q->c_iflag &= ~(tcflag_t)(ICRNL | INLCR | IGNCR);
	q->c_cc[VMIN] = 1;
	q->c_cc[VTIME] = 0;
}

int mode_begin(int from, int to, bool mark_pastes, struct err *e)
{
	struct termios found;

	if (!isatty(from))
		return 0;
	if (tcgetattr(from, &found) < 0)
		return err_sys(e, errno, "cannot tell the terminal's mode");
	make_modes(&found);
	in = from;
	out = to;
	paste = mark_pastes && out >= 0;
	state = USUAL;
	away = resumed = noted = stashed = taken = 0;
	handle_signals();
	return 0;
}

void mode_quiet(void)
{
	change(QUIET);
}

void mode_usual(void)
{
	change(USUAL);
	/* To read would do that; but to wait for input would not, as the shell takes it first. */
	if (in >= 0 && in_background())
		kill(0, SIGTTIN);
}

void mode_end(void)
{
	if (in < 0)
		return;
	change(USUAL);
	leave_signals();
	in = out = -1;
	buf_release(&typed);
}

bool mode_begun(void)
{
	return in >= 0;
}

void mode_cover(const char *sequence)
{
	cover = sequence;
}

bool mode_resumed(void)
{
	if (!resumed || in_background())
		return false;
	resumed = 0;
	return true;
}

/* ---- what is typed ahead ---- */

/* No handler that looks at it is to see it half done. */
static void block(sigset_t *before)
{
	sigset_t those;

	sigemptyset(&those);
	sigaddset(&those, SIGINT);
	sigaddset(&those, SIGTSTP);
	sigaddset(&those, SIGCONT);
	sigprocmask(SIG_BLOCK, &those, before);
}

static void add(const char *p, size_t n)
{
	buf_add(&typed, p, n);
	taken = (sig_atomic_t)typed.n;
}

static void take_stash(void)
{
	add(stash, (size_t)stashed);
	stashed = 0;
}

/* Returns how many bytes. */
static ssize_t take_some(int patience)
{
	struct pollfd p = { .fd = in, .events = POLLIN };
	char some[4096];
	sigset_t before;
	ssize_t n = 0;

	/* A read in the background would stop the process. */
	if (typed.n > TYPED_MAX || poll(&p, 1, patience) <= 0 || in_background())
		return 0;
	block(&before);
	take_stash();
	if (state == QUIET && !away && poll(&p, 1, 0) > 0)
		n = read(in, some, sizeof(some));
	if (n > 0)
		add(some, (size_t)n);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return n;
}

void mode_take(void)
{
	ssize_t n = 0;

	if (in < 0 || state != QUIET)
		return;
	while ((n = take_some(n ? IN_FLIGHT_MS : 0)) > 0)
		;
}

int mode_relieve(void)
{
	if (in < 0)
		return RELAXED_MS;
	if (away && state == QUIET && !in_background())
		change(QUIET); /* it was let into the foreground without a word */
	if (queued() <= QUEUE_FULL)
		return RELAXED_MS;
	mode_take();
	return HURRIED_MS; /* more of it may be on its way */
}

void mode_give(struct buf *keys)
{
	sigset_t before;

	block(&before);
	take_stash();
	buf_add(keys, typed.p, typed.n);
	buf_clear(&typed);
	taken = 0;
	sigprocmask(SIG_SETMASK, &before, NULL);
}

void mode_note_stop(void)
{
	if (in >= 0)
		noted = taken + stashed + queued();
}

void mode_note_continue(void)
{
	resumed = 1;
}

/* What is marked as pasted stays as it is. */
static void add_held(struct buf *b, struct span keys)
{
	bool pasted = false;

	for (size_t i = 0; i < keys.n; i++) {
		char c = keys.p[i];

		if (keys.n - i >= 6 && memcmp(keys.p + i, "\033[200~", 6) == 0)
			pasted = true;
		else if (keys.n - i >= 6 && memcmp(keys.p + i, "\033[201~", 6) == 0)
			pasted = false;
		if (c != '\r' || pasted)
			buf_addc(b, c);
		else
			buf_adds(b, paste ? "\033[200~\r\033[201~" : "\\\r");
	}
}

void mode_hold(void)
{
	struct buf all = BUF_INIT, held = BUF_INIT;
	size_t n = (size_t)noted;

	mode_take();
	mode_give(&all);
	n = n < all.n ? n : all.n;
	noted = 0;
	add_held(&held, (struct span){ all.p, n });
	buf_add(&held, all.p + n, all.n - n);
	add(held.oom ? all.p : held.p, held.oom ? all.n : held.n); /* sent, rather than lost */
	buf_release(&all);
	buf_release(&held);
}
