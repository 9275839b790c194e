/*
 * Runs a target's seeds, tests/fuzz/seeds/TARGET/ or the directory given, each in a
 * process of its own; any compiler can build this.
 *
 * A test for each seed: the property holds (the process ends well).
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "../unit/tap.h"
#include "fuzz.h"

static void run(const char *path)
{
	struct buf text = BUF_INIT;
	struct span s;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	must(fd >= 0 && io_read_all(fd, &text, SIZE_MAX / 8) == 0, "cannot read '%s'", path);
	close(fd);
	s = exact(buf_span(&text));
	buf_release(&text);
	LLVMFuzzerTestOneInput((const uint8_t *)s.p, s.n);
	drop(s);
	exit(0); /* so that a leak is found, where leaks are looked for */
}

static bool holds(const char *path)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO); /* stdout is for TAP */
		run(path);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static int visible(const struct dirent *f)
{
	return f->d_name[0] != '.';
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *dash = strchr(slash ? slash : argv[0], '-'); /* build/…/replay-TARGET */
	struct dirent **files = NULL;
	char dir[512], path[1024];
	int n;

	snprintf(dir, sizeof(dir), "tests/fuzz/seeds/%s", dash ? dash + 1 : "");
	if (argc > 1)
		snprintf(dir, sizeof(dir), "%s", argv[1]);
	n = scandir(dir, &files, visible, alphasort);
	ok(n > 0, "seeds in %s", dir);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]->d_name);
		ok(holds(path), "%s", files[i]->d_name);
		free(files[i]);
	}
	free(files);
	return tap_end();
}
