/*
 * A title made by the model, where the settings want that: by a process of its own, so that the
 * prompt is there at once. It is given up when there is something else to do, and may fail
 * without a word: the first prompt stands for a title that is not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "chat/chat.h"
#include "turn/title.h"

#define PATIENCE 60 /* s */
#define ATTEMPTS 3  /* for one session; each costs tokens */

/* ---- in that process ---- */

/* Not if another process has set a title, nor while a turn runs. Nothing ends this between
 * the lock and the end. */
static int store(struct chat *chat, const struct buf *title, const struct usage *usage,
                 struct err *e)
{
	const struct change change = { .title = buf_span(title), .usage = *usage };
	const struct lock_wait now = { .no_wait = true, .stop_fd = -1 };
	struct session *x = &chat->at.session;
	sigset_t all;
	int r = 0;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (session_lock(x, &chat->tool.store, chat->at.id, &now, NULL, e) < 0)
		return -1;
	if (!x->conversation.titled)
		r = session_append_change(x, change, e);
	session_unlock(x);
	return r;
}

static int find(struct chat *chat, struct err *e)
{
	struct client client = chat->at.client; /* the key is there, and the server known */
	struct buf title = BUF_INIT, model = BUF_INIT;
	struct usage usage = USAGE_NONE;
	const struct conversation *c = &chat->at.session.conversation;
	const struct exchange *first = NULL;
	int r = chat_reload(chat, e);

	for (size_t i = 0; r == 0 && !first && i < c->n; i++)
		if (conversation_exchange(c, i)->status == STATUS_COMPLETE)
			first = conversation_exchange(c, i);
	if (!first)
		return r;
	buf_add(&model, chat_model(chat).p, chat_model(chat).n);
	client.http = NULL; /* that connection is the other process's */
	client.trace = NULL;
	client.listener = (struct client_listener){ NULL, NULL, NULL };
	client.stop_fd = -1;
	r = buf_check(&model, e) < 0 || client_open(&client, e) < 0 ? -1
	    : title_ask(&title, &usage, &client, model.p, first, e);
	return r < 0 ? -1 : store(chat, &title, &usage, e);
}

/* A group of its own: what is typed at the terminal is not meant for it. And it has no business
 * there, so that whatever ends it must not put the terminal right. */
static void be_apart(void)
{
	int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);

	setpgid(0, 0);
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGPIPE && sig != SIGXFSZ) /* failed writes are errors */
			signal(sig, SIG_DFL);
	for (int fd = STDIN_FILENO; nowhere >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(nowhere, fd);
	alarm(PATIENCE);
}

/* ---- in mc-chat ---- */

void chat_title_begin(struct chat *chat)
{
	struct err ignored = ERR_INIT;
	sigset_t all, before;
	pid_t pid;

	if (chat->at.titles == ATTEMPTS)
		return;
	chat->at.titles++;
	/* No signal comes to it before it has let go of the handlers, which write to our pipe. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	child_keep_status();
	pid = fork();
	if (pid == 0) {
		be_apart();
		sigprocmask(SIG_SETMASK, &before, NULL);
		_exit(find(chat, &ignored) < 0);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	chat->title_maker = pid > 0 ? pid : 0;
}

void chat_title_end(struct chat *chat)
{
	if (!chat->title_maker)
		return;
	kill(chat->title_maker, SIGTERM);
	while (waitpid(chat->title_maker, NULL, 0) < 0 && errno == EINTR)
		;
	chat->title_maker = 0;
}
