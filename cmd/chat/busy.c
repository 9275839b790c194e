/* While a reply or a summary is waited for, and while it runs. */
#include <signal.h>

#include "base/clock.h"
#include "chat/chat.h"
#include "tty/mode.h"
#include "tty/stop.h"

static void look_after(struct idle *m)
{
	struct chat *chat = m->ctx;
	int64_t next = show_tick(&chat->show);

	if (chat->conversing) {
		int relieve = mode_relieve();

		next = next >= 0 && next < relieve ? next : relieve;
	}
	m->due = next < 0 ? 0 : clock_steady_ms() + next;
}

/* The keys typed while it was busy are for the next prompt; after a Ctrl-C, for a look at
 * them first. */
static void keep_keys(void)
{
	if (stop_signal() == SIGINT)
		mode_hold();
	else
		mode_take();
	mode_usual();
}

void chat_busy(struct chat *chat)
{
	chat->idle = (struct idle){ .call = look_after, .ctx = chat };
	chat->at.client.idle = &chat->idle;
	chat->show.idle = &chat->idle;
	mode_quiet();
	show_begin(&chat->show);
	look_after(&chat->idle);
}

void chat_idle(struct chat *chat)
{
	chat->at.client.idle = NULL;
	chat->show.idle = NULL;
	show_came(&chat->show);
	keep_keys();
}
