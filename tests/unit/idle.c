#include "base/idle.h"

#include <unistd.h>

#include "base/clock.h"
#include "tap.h"

struct calls {
	int n, most; /* as many as there may be */
	int64_t first, apart;
};

static void count(struct idle *m)
{
	struct calls *c = m->ctx;

	if (!c->n++)
		c->first = clock_steady_ms();
	m->due = c->n < c->most ? clock_steady_ms() + c->apart : 0;
}

static struct idle start(struct calls *c, int64_t after)
{
	return (struct idle){ .due = clock_steady_ms() + after, .call = count, .ctx = c };
}

static void nobody(void)
{
	struct idle none = { 0 };

	is_int(idle_left(NULL, 70), 70, "nobody: the whole time");
	is_int(idle_left(NULL, -1), -1, "nobody: for ever");
	is_int(idle_left(&none, -1), -1, "nothing is due: for ever");
	is_int(idle_poll(NULL, NULL, 0, 1), 0, "nobody: poll() as it is");
}

static void in_time(void)
{
	struct calls c = { 0, 3, 0, 20 };
	struct idle m = start(&c, 20);
	int64_t began = clock_steady_ms();

	is_int(idle_poll(&m, NULL, 0, 0), 0, "no time to wait");
	is_int(c.n, 0, "and nothing that was due");
	is_int(idle_poll(&m, NULL, 0, 200), 0, "a wait");
	is_int(c.n, 3, "as often as it wanted");
	ok(c.first - began >= 20, "and not before it was due");
	ok(clock_steady_ms() - began >= 200, "the whole time is waited");
}

static void past(void)
{
	struct calls c = { 0, 1, 0, 0 };
	struct idle m = start(&c, -1000);

	is_int(idle_poll(&m, NULL, 0, 0), 0, "no time, and something is due");
	is_int(c.n, 1, "it is called");
}

static void ready(void)
{
	struct calls c = { 0, 1, 0, 0 };
	struct idle m = start(&c, 60000);
	struct pollfd p = { .events = POLLIN };
	int ends[2];

	if (pipe(ends) < 0 || write(ends[1], "x", 1) < 0)
		tap_note("cannot make a pipe");
	p.fd = ends[0];
	is_int(idle_poll(&m, &p, 1, -1), 1, "what is there is told at once");
	is_int(c.n, 0, "before anything is due");
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	nobody();
	in_time();
	past();
	ready();
	return tap_end();
}
