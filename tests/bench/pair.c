/*
 * pair N 'COMMAND A' 'COMMAND B': runs the two in turn, N times each after one run
 * that does not count, and prints the median of the N ratios A/B of wall time and
 * their quartiles. Paired, because a machine's speed drifts; a ratio, because an
 * absolute time says more of the machine than of the program.
 *
 * Words are split at spaces; there is no shell in between. Output goes to /dev/null.
 * Exits 1 when a command fails.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static double run(char *const argv[])
{
	posix_spawn_file_actions_t fa;
	double start = now();
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &fa, NULL, argv, environ) != 0 ||
	    waitpid(pid, &status, 0) < 0 || status != 0) {
		fprintf(stderr, "pair: '%s' failed\n", argv[0]);
		exit(1);
	}
	posix_spawn_file_actions_destroy(&fa);
	return now() - start;
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
	long n = argc == 4 ? strtol(argv[1], NULL, 10) : 0;

	if (n < 1 || n > MAX_RUNS) {
		fprintf(stderr, "usage: pair N 'COMMAND A' 'COMMAND B'\n");
		return 2;
	}
	split(argv[2], a);
	split(argv[3], b);
	for (long i = -1; i < n; i++) {
		double ta = run(a), tb = run(b);

		if (i >= 0)
			ratio[i] = ta / tb;
	}
	qsort(ratio, (size_t)n, sizeof(*ratio), ascending);
	printf("%.2f %.2f %.2f\n", ratio[n / 2], ratio[n / 4], ratio[n * 3 / 4]);
	return 0;
}
