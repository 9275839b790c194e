/* Typing in a conversation: what was typed before, and what Tab completes. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chat/command.h"
#include "store/typed.h"
#include "client/key.h"

struct typing {
	struct edit edit; /* chat->editor is the same */
	struct typed typed;
	struct chat *chat;
	char **envp;
	bool told; /* that what is typed cannot be remembered */
};

/* ---- what was typed before ---- */

/* The conversation goes on without it, and this is said once. */
static bool is_told(struct typing *t, struct err *e)
{
	bool told = t->told;

	t->told = true;
	err_prefix(e, "what is typed is not remembered");
	return told;
}

static int take_recalled(void *ctx, struct span text, struct err *e)
{
	(void)e;
	edit_recall(ctx, text);
	return 0;
}

static int recall(void *ctx, struct edit *ed, struct err *e)
{
	struct typing *t = ctx;

	if (typed_read(&t->typed, take_recalled, ed, e) == 0)
		return 0;
	if (is_told(t, e))
		err_clear(e);
	return e->kind == ERR_NONE ? 0 : -1;
}

static void keep(void *ctx, struct span text)
{
	struct typing *t = ctx;
	struct err e = ERR_INIT;

	if (!t->chat->no_save && typed_add(&t->typed, text, &e) < 0 && !is_told(t, &e))
		say(e.msg);
}

static void tell_failed(void *ctx, const struct err *e)
{
	(void)ctx;
	say(e->msg);
}

static void complete(void *ctx, struct edit_completion *c)
{
	const struct typing *t = ctx;

	chat_complete(t->chat, c);
}

/* ---- both ends ---- */

int chat_type_begin(struct chat *chat, struct err *e)
{
	struct typing *t = calloc(1, sizeof(*t));
	const struct config *config = &chat->tool.config;
	struct edit_options o = {
		/* Keys are not echoed by the terminal, and so have to be drawn where one sees them. */
		.fd = STDIN_FILENO, .out = isatty(STDERR_FILENO) ? STDERR_FILENO : STDOUT_FILENO, .stop_fd = chat->stop_fd, .ctx = t,
		.recall = recall, .typed = keep, .complete = complete, .failed = tell_failed,
	};

	if (!t || !(t->envp = key_environment(config))) {
		free(t);
		return err_oom(e);
	}
	t->chat = chat;
	t->typed = (struct typed)TYPED_INIT(config->state_dir, (size_t)config->typed_max);
	o.envp = t->envp;
	edit_open(&t->edit, &o);
	chat->editor = &t->edit;
	if (t->edit.why_plain.msg[0]) {
		err_prefix(&t->edit.why_plain, "lines are edited by the terminal alone");
		say(t->edit.why_plain.msg);
	}
	return 0;
}

int chat_type(struct chat *chat, struct buf *prompt, struct err *e)
{
	int r = edit_read(chat->editor, "> ", chat->draft.n ? chat->draft.p : NULL, prompt, e);

	buf_clear(&chat->draft);
	return r;
}

void chat_type_end(struct chat *chat)
{
	struct typing *t = (struct typing *)chat->editor;

	if (!t)
		return;
	edit_close(&t->edit);
	free(t->envp);
	free(t);
	chat->editor = NULL;
}
