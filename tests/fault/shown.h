/*
 * How a program of this directory shows the turn that it runs: the text of the replies on standard output,
 * notices and errors on standard error.
 */
#ifndef FAULT_SHOWN_H
#define FAULT_SHOWN_H

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "turn/events.h"

static int unwritten; /* the errno of the first failed write to standard output */

static void notice(const char *sentence)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, sentence);
}

static int fail(const struct err *e)
{
	notice(e->msg);
	return e->kind == ERR_UNSTORED ? 74 : 1;
}

static void put(struct span text)
{
	if (!unwritten && io_write(STDOUT_FILENO, text.p, text.n) < 0)
		unwritten = errno;
}

static void show(void *ctx, const struct turn_event *ev)
{
	(void)ctx;
	if (ev->kind == TURN_TEXT)
		put(ev->text);
	else if (ev->kind == TURN_NOTICE)
		notice(ev->notice);
}

#endif
