/*
 * How much later a conversation's prompt appears with one environment than with another.
 *
 * usage: prompt RUNS VAR=A VAR=B CMD [ARG…]
 *
 * Starts CMD in a terminal of its own, RUNS times with each, in pairs, until the prompt "> "
 * is on it. Prints the median, lower and upper quartile of the differences, A less B, then the
 * median of B, in ms. The environment is the caller's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void run_in(const char *terminal, char *setting, char **cmd)
{
	int fd;

	setsid();
	fd = open(terminal, O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) < 0)
		die(terminal);
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	putenv(setting);
	execvp(cmd[0], cmd);
	die(cmd[0]);
}

/* The prompt is the last that is written; sequences for the terminal may follow its blank. */
static int has_prompt(const char *seen, size_t n)
{
	const char *line = seen + n;

	if (!n)
		return 0;
	while (line > seen && line[-1] != '\n' && line[-1] != '\r')
		line--;
	return memmem(line, (size_t)(seen + n - line), "> ", 2) != NULL;
}

static double measure(char *setting, char **cmd)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	char seen[65536];
	size_t n = 0;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), status;
	double start, took;
	pid_t child;

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 || ioctl(master, TIOCSWINSZ, &size) < 0)
		die("a terminal");
	start = now_ms();
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0)
		run_in(ptsname(master), setting, cmd);
	while (!has_prompt(seen, n)) {
		struct pollfd p = { .fd = master, .events = POLLIN };
		ssize_t got;

		if (poll(&p, 1, 10000) <= 0 || n == sizeof(seen))
			die("no prompt in 10 s");
		got = read(master, seen + n, sizeof(seen) - n);
		if (got < 0 && errno != EIO && errno != EINTR) /* EIO: nobody has opened it yet */
			die("read");
		n += got > 0 ? (size_t)got : 0;
	}
	took = now_ms() - start;
	if (write(master, "\004", 1) != 1) /* the end of its input */
		die("write");
	while (read(master, seen, sizeof(seen)) > 0)
		;
	waitpid(child, &status, 0);
	close(master);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "%s ended with status %d\n", cmd[0], status);
		exit(1);
	}
	return took;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int runs = argc > 4 ? (int)strtol(argv[1], NULL, 10) : 0;
	double *diff, *base;

	if (runs < 1) {
		fputs("usage: prompt RUNS VAR=A VAR=B CMD [ARG...]\n", stderr);
		return 2;
	}
	diff = calloc((size_t)runs, sizeof(*diff));
	base = calloc((size_t)runs, sizeof(*base));
	if (!diff || !base)
		die("memory");
	for (int i = 0; i < runs; i++) {
		double a = i % 2 ? 0 : measure(argv[2], argv + 4);

		base[i] = measure(argv[3], argv + 4);
		if (i % 2)
			a = measure(argv[2], argv + 4);
		diff[i] = a - base[i];
	}
	qsort(diff, (size_t)runs, sizeof(*diff), by_value);
	qsort(base, (size_t)runs, sizeof(*base), by_value);
	printf("%.2f %.2f %.2f %.2f\n", diff[runs / 2], diff[runs / 4], diff[runs * 3 / 4], base[runs / 2]);
	free(diff);
	free(base);
	return 0;
}
