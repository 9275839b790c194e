/* The indicator: that a reply is being waited for, and for how long. It stands still but for its
 * seconds, and goes without a trace. */
#include <unistd.h>

#include "base/clock.h"
#include "show.h"
#include "tool.h"
#include "tty/mode.h"

#define QUIET_MS 700   /* most replies begin before a person would wonder */
#define HINT_MS 10000  /* and then one may want to know the way out */

void show_begin(struct show *s)
{
	mode_resumed(); /* that was before it */
	s->since = s->terminal && s->form != SHOW_EVENTS && can_say_for_now() && !s->plain
	                   ? clock_steady_ms() : 0;
}

int64_t show_tick(struct show *s)
{
	int64_t elapsed, seconds;
	const char *hint;
	char text[80];

	if (!s->since)
		return show_late(s);
	elapsed = clock_steady_ms() - s->since;
	if (elapsed < QUIET_MS)
		return QUIET_MS - elapsed;
	seconds = elapsed / 1000;
	hint = elapsed < HINT_MS ? "" : ", Ctrl-C stops";
	if (seconds < 1)
		snprintf(text, sizeof(text), "…");
	else if (seconds < 120)
		snprintf(text, sizeof(text), "… %d s%s", (int)seconds, hint);
	else
		snprintf(text, sizeof(text), "… %d min %d s%s", (int)(seconds / 60), (int)(seconds % 60), hint);
	if (!s->waited) /* else the wait for another attempt is told in its place */
		hint_for_now(text);
	return 1000 - elapsed % 1000;
}

void show_look(struct idle *m)
{
	int64_t next = show_tick(m->ctx);

	m->due = next < 0 ? 0 : clock_steady_ms() + next;
}

void show_came(struct show *s)
{
	if (s->since)
		unsay();
	s->since = 0;
}
