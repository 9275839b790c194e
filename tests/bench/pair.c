/*
 * pair [-f|-c|-m] N 'COMMAND A' 'COMMAND B': runs the two in turn, N times each after
 * one run that does not count, and prints the median of the N ratios A/B of wall time
 * and their quartiles. Paired, because a machine's speed drifts; a ratio, because an
 * absolute time says more of the machine than of the program.
 *
 * -f: of the time to the first byte of output. -c: of processor time, user's and
 * system's. -m: not a ratio, but how much more memory A had at its peak than B, in KB.
 *
 * Words are split at spaces; there is no shell in between. Output is thrown away.
 * Exits 1 when a command fails.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define MAX_WORDS 64
#define MAX_RUNS 1000

static void split(char *command, char *argv[MAX_WORDS])
{
	size_t n = 0;

	while (*command && n < MAX_WORDS - 1) {
		while (*command == ' ')
			*command++ = '\0';
		if (*command)
			argv[n++] = command;
		while (*command && *command != ' ')
			command++;
	}
	argv[n] = NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* What one run took. */
struct cost {
	double wall, first, cpu; /* ms */
	double memory;           /* KB */
};

static double ms(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

/* Reads to the end; *first is set when something comes. */
static void drain(int fd, double *first)
{
	static char bytes[1 << 20];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		if (*first == 0)
			*first = now();
	close(fd);
}

/* Only where the first byte is looked for is there somebody who reads. */
static struct cost run(char *const argv[], int read_it)
{
	posix_spawn_file_actions_t fa;
	struct cost c = { 0, 0, 0, 0 };
	double start = now();
	struct rusage used;
	int status, ends[2];
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	if (!read_it)
		posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	else if (pipe2(ends, O_CLOEXEC) == 0)
		posix_spawn_file_actions_adddup2(&fa, ends[1], 1);
	status = posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ);
	if (read_it) {
		close(ends[1]);
		drain(ends[0], &c.first);
	}
	if (status != 0 || wait4(pid, &status, 0, &used) < 0 || status != 0) {
		fprintf(stderr, "pair: '%s' failed\n", argv[0]);
		exit(1);
	}
	posix_spawn_file_actions_destroy(&fa);
	c.wall = now() - start;
	c.first -= start;
	c.cpu = ms(used.ru_utime) + ms(used.ru_stime);
	c.memory = (double)used.ru_maxrss;
	return c;
}

static double compare(char what, const struct cost *a, const struct cost *b)
{
	switch (what) {
	case 'f': return a->first / b->first;
	case 'c': return a->cpu / b->cpu;
	case 'm': return a->memory - b->memory;
	default:  return a->wall / b->wall;
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double ratio[MAX_RUNS];
	char *a[MAX_WORDS], *b[MAX_WORDS];
	char what = argc == 5 && argv[1][0] == '-' ? argv[1][1] : 0;
	long n;

	argv += what ? 1 : 0;
	n = argc == (what ? 5 : 4) ? strtol(argv[1], NULL, 10) : 0;
	if (n < 1 || n > MAX_RUNS) {
		fprintf(stderr, "usage: pair [-f|-c|-m] N 'COMMAND A' 'COMMAND B'\n");
		return 2;
	}
	split(argv[2], a);
	split(argv[3], b);
	for (long i = -1; i < n; i++) {
		struct cost ca = run(a, what == 'f'), cb = run(b, what == 'f');

		if (i >= 0)
			ratio[i] = compare(what, &ca, &cb);
	}
	qsort(ratio, (size_t)n, sizeof(*ratio), ascending);
	printf("%.2f %.2f %.2f\n", ratio[n / 2], ratio[n / 4], ratio[n * 3 / 4]);
	return 0;
}
