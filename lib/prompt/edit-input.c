/* Keys for readline, and the terminal's mode and the signals while they are read. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "prompt/edit-line.h"
#include "tty/stop.h"

#define SOON_MS 300

struct edit_input edit_input;

static rl_vintfunc_t *usual_prep; /* readline's: sets the terminal's mode */
static rl_voidfunc_t *usual_deprep;
static bool prepared;
static char interrupt_key; /* 0: none */

/* ---- signals that concern the screen ---- */

static const int screen_signals[] = { SIGTSTP, SIGCONT, SIGWINCH };
#define NSIGNALS (sizeof(screen_signals) / sizeof(screen_signals[0]))

static struct sigaction before[NSIGNALS];
static int wake[2] = { -1, -1 };

static void on_signal(int sig)
{
	int saved = errno;

	if (write(wake[1], &(char){ (char)sig }, 1) < 0) {
		/* The pipe is full of them. */
	}
	errno = saved;
}

void edit_input_signals(bool on)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < NSIGNALS; i++)
		if (!on)
			sigaction(screen_signals[i], &before[i], NULL);
		/* A shell without job control has its children ignore SIGTSTP. */
		else if (sigaction(screen_signals[i], NULL, &before[i]) == 0 &&
		         (before[i].sa_handler != SIG_IGN || screen_signals[i] != SIGTSTP))
			sigaction(screen_signals[i], &sa, NULL);
}

static void suspend(void)
{
	edit_line_leave();
	raise(SIGTSTP);
	edit_line_enter();
}

/* Somebody else may have had the terminal while we were stopped by a SIGSTOP. */
static void resumed(void)
{
	(*edit_rl.rl_deprep_term_function)();
	(*edit_rl.rl_prep_term_function)(1);
	edit_rl.rl_crlf();
	edit_rl.rl_on_new_line();
	edit_rl.rl_forced_update_display();
}

static void on_wake(void)
{
	char sig;

	while (read(wake[0], &sig, 1) > 0)
		if (sig == SIGTSTP)
			suspend();
		else if (sig == SIGCONT)
			resumed();
		else
			edit_show_resized();
	edit_line_put("");
}

/* ---- keys ---- */

enum { IN, STOP, WAKE, NWAITS };

/* False: it is to stop. */
static bool wait_for_key(void)
{
	struct pollfd p[NWAITS] = {
		[IN] = { .fd = edit_now->o.fd, .events = POLLIN },
		[STOP] = { .fd = edit_now->o.stop_fd, .events = POLLIN },
		[WAKE] = { .fd = wake[0], .events = POLLIN },
	};

	for (;;) {
		if (poll(p, NWAITS, -1) < 0) {
			if (errno != EINTR)
				return false;
			continue;
		}
		if (p[WAKE].revents)
			on_wake();
		if (p[STOP].revents)
			return false;
		if (p[IN].revents)
			return true;
	}
}

size_t edit_input_bytes(char *p, size_t n)
{
	struct buf *pending = &edit_now->lines.pending;
	ssize_t got;

	if (pending->n) {
		n = n < pending->n ? n : pending->n;
		memcpy(p, pending->p, n);
		buf_drop(pending, n);
		return n;
	}
	do
		got = !edit_input.gone && wait_for_key() ? read(edit_now->o.fd, p, n) : 0;
	while (got < 0 && (errno == EINTR || errno == EAGAIN));
	edit_input.gone = got <= 0;
	return got > 0 ? (size_t)got : 0;
}

static bool is_there(int ms)
{
	struct pollfd p = { .fd = edit_now->o.fd, .events = POLLIN };

	return edit_now->lines.pending.n || poll(&p, 1, ms) > 0;
}

bool edit_input_soon(void)
{
	return is_there(SOON_MS);
}

bool edit_input_is_interrupt(char key)
{
	return interrupt_key && key == interrupt_key;
}

void edit_input_interrupt(void)
{
	edit_input.interrupted = edit_input.gone = true;
}

/* Behind Ctrl-V it is what is to be inserted. */
static bool means_itself(void)
{
	unsigned long state = *edit_rl.rl_readline_state;

	return (state & RL_STATE_MOREINPUT) && !(state & (RL_STATE_ISEARCH | RL_STATE_NSEARCH |
	        RL_STATE_NUMERICARG | RL_STATE_VIMOTION | RL_STATE_MULTIKEY | RL_STATE_COMPLETING));
}

/*
 * At an end of file readline would take the text that is there for one that was sent. With
 * READERR it gives up at once; but only where it reads a command, to which it returns from
 * anywhere else when the keys have ended.
 */
static int take_key(FILE *unused)
{
	char c;

	(void)unused;
	if (edit_input_bytes(&c, 1)) {
		if (!edit_input_is_interrupt(c) || means_itself())
			return (unsigned char)c;
		edit_input_interrupt();
	}
	if (!(*edit_rl.rl_readline_state & RL_STATE_READCMD))
		return EOF;
	edit_line_give_up();
	return READERR;
}

/*
 * Whether a key is there, within the time that readline has set, in µs. It asks this to insert
 * several characters at once, and in the middle of that can do nothing with an end or a Ctrl-C:
 * so these are not there yet.
 */
static int key_available(void)
{
	struct buf *pending = &edit_now->lines.pending;
	char c;

	if (!is_there(edit_rl.rl_set_keyboard_input_timeout(-1) / 1000))
		return 0;
	if (!pending->n && edit_input_bytes(&c, 1))
		buf_addc(pending, c);
	return pending->n && !edit_input_is_interrupt(*pending->p);
}

/* ---- the mode ---- */

/*
 * Ctrl-C is a key like others here: as a signal it would come before the keys that were typed
 * before it, or make the kernel forget them, and a paste that holds one would be torn in two.
 * For what remains a signal, nothing is forgotten.
 */
static void prepare(int meta)
{
	struct termios mode;

	if (prepared)
		return;
	prepared = true;
	usual_prep(meta);
	interrupt_key = 0;
	if (tcgetattr(edit_now->o.fd, &mode) < 0)
		return;
	if (mode.c_cc[VINTR] != _POSIX_VDISABLE && (mode.c_lflag & ISIG))
		interrupt_key = (char)mode.c_cc[VINTR];
	mode.c_cc[VINTR] = _POSIX_VDISABLE;
	mode.c_lflag |= NOFLSH;
	tcsetattr(edit_now->o.fd, TCSADRAIN, &mode);
}

static void restore(void)
{
	if (edit_input.keep_mode)
		return;
	usual_deprep();
	prepared = false;
}

int edit_input_start(struct err *e)
{
	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, errno, "cannot create a pipe");
	usual_prep = *edit_rl.rl_prep_term_function;
	usual_deprep = *edit_rl.rl_deprep_term_function;
	*edit_rl.rl_prep_term_function = prepare;
	*edit_rl.rl_deprep_term_function = restore;
	*edit_rl.rl_getc_function = take_key;
	*edit_rl.rl_input_available_hook = key_available;
	*edit_rl.rl_catch_signals = 0;
	*edit_rl.rl_catch_sigwinch = 0;
	*edit_rl.rl_change_environment = 0;
	return 0;
}

void edit_input_begin(void)
{
	edit_input = (struct edit_input){ false, false, false };
	*edit_rl.rl_readline_state &= ~(unsigned long)RL_STATE_COMPLETING; /* that ended with the keys */
}

void edit_input_end(void)
{
	for (int i = 0; i < 2; i++)
		if (wake[i] >= 0)
			close(wake[i]);
	wake[0] = wake[1] = -1;
}
