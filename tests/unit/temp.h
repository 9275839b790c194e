/* A fresh directory to work in, gone at the end. */
#ifndef UNIT_TEMP_H
#define UNIT_TEMP_H

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

static char temp_path[4096];
static pid_t temp_owner;

static inline int temp_remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st;
	(void)type;
	(void)f;
	return remove(path);
}

static inline void temp_remove(void)
{
	if (getpid() != temp_owner || chdir("/") < 0)
		return;
	nftw(temp_path, temp_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes the directory and goes there. */
static inline void temp_enter(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(temp_path, sizeof(temp_path), "%s/mcbox-unit-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(temp_path) || chdir(temp_path) < 0) {
		perror(temp_path);
		exit(2);
	}
	temp_owner = getpid();
	atexit(temp_remove);
}

/* Writes a file of the current directory anew. */
static inline void temp_write(const char *path, struct span text)
{
	FILE *f = fopen(path, "we");

	if (!f || fwrite(text.p, 1, text.n, f) != text.n || fclose(f) != 0) {
		perror(path);
		exit(2);
	}
}

/* Adds a file's bytes. */
static inline void temp_read(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "re");
	char part[4096];
	size_t n;

	if (!f) {
		perror(path);
		exit(2);
	}
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_add(b, part, n);
	fclose(f);
}

#endif
