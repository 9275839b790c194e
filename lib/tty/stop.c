#include "tty/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/io.h"
#include "tty/mode.h"

static int wake[2] = { -1, -1 };
static volatile sig_atomic_t caught;

static void on_signal(int sig)
{
	int saved = errno;

	caught = sig;
	if (sig != SIGINT)
		io_leave();
	if (sig == SIGINT)
		mode_note_stop();
	if (write(wake[1], "", 1) < 0) {
		/* The pipe is full, so its reader will wake in any case. */
	}
	errno = saved;
}

static void on_continue(int sig)
{
	(void)sig;
	mode_note_continue();
}

int stop_begin(struct err *e)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa = { .sa_handler = on_signal }, old;
	struct sigaction cont = { .sa_handler = on_continue, .sa_flags = SA_RESTART };

	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(e, errno, "cannot create a pipe");
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		/* What the caller ignores stays ignored: nohup, a background job. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
	sigemptyset(&cont.sa_mask);
	sigaction(SIGCONT, &cont, NULL);
	return wake[0];
}

int stop_signal(void)
{
	return caught;
}

void stop_clear(void)
{
	char rest[64];

	if (caught && caught != SIGINT)
		return;
	while (read(wake[0], rest, sizeof(rest)) > 0)
		;
	if (caught == SIGINT)
		caught = 0;
}
