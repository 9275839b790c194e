/* Where one is: the session, its title and model, and how full its window is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chat/command.h"
#include "tty/neutral.h"
#include "tty/term.h"

/* ---- figures ---- */

void add_count(struct buf *b, int64_t n)
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%" PRId64, n);

	for (size_t i = 0; i < len; i++) {
		buf_addc(b, digits[i]);
		if ((len - i) % 3 == 1 && i + 1 < len && digits[i] != '-')
			buf_addc(b, ',');
	}
}

void add_share(struct buf *b, const struct load *l)
{
	int64_t percent = l->tokens / (l->window / 100 + (l->window < 100));

	if (percent)
		buf_addf(b, "%" PRId64 " %% of ", percent);
	else
		buf_adds(b, "less than 1 % of ");
	add_count(b, l->window);
	buf_adds(b, " tokens");
}

static int measure(const struct chat *chat, const char *model, struct load *l, struct err *e)
{
	const struct chat_session *s = &chat->at;
	const struct exchange nothing = { .query = { "", 0 }, .left_out = 0 };
	struct context_ask ask = {
		.conversation = &s->session.conversation,
		.n = s->session.conversation.n,
		.provider = s->client.no_native ? NULL : s->client.endpoint.name,
		.model = span_str(model),
		.system = s->session.conversation.head.json ? s->session.conversation.head.head.system : s->head.system,
		.prompt = &nothing,
		.window = context_window(&s->client.endpoint, model, chat->context).limit,
		.reply = context_reply_of(&s->client.params),
	};
	struct context cx;

	*l = (struct load){ .window = ask.window };
	if (!ask.system.p)
		ask.system = span_str("");
	if (context_make(&cx, &ask, e) < 0)
		return -1;
	*l = (struct load){ ask.window, cx.tokens, cx.counting, cx.left_out, cx.summed, cx.incomplete };
	context_release(&cx);
	return 0;
}

int chat_load(const struct chat *chat, struct load *l, struct err *e)
{
	struct span name = chat_model(chat);
	struct buf model = BUF_INIT;
	int r;

	buf_add(&model, name.p, name.n);
	r = buf_check(&model, e) < 0 ? -1 : measure(chat, model.p, l, e);
	buf_release(&model);
	return r;
}

/* ---- the line ---- */

static void add_id(struct buf *b, const struct chat *chat)
{
	int64_t n = chat->at.session.conversation.info.exchange_count;

	if (chat->at.exists)
		buf_addf(b, "Session: %s (resumed, %" PRId64 " exchange%s%s)", chat->at.id, n, n == 1 ? "" : "s",
		         chat->no_save ? ", not stored" : "");
	else if (chat->no_save)
		buf_adds(b, "Not stored");
	else
		buf_addf(b, "Session: %s", chat->at.id);
}

/* As many as fit stand on a line; others begin one of their own, and are cut there. */
struct row {
	struct buf out;
	size_t columns, used; /* of the window, and of the line */
};

static void add_part(struct row *r, struct span part)
{
	size_t width = term_width(part);

	if (!part.n)
		return;
	if (r->used && r->used + 2 + width <= r->columns) {
		buf_adds(&r->out, "  ");
		buf_add(&r->out, part.p, part.n);
		r->used += 2 + width;
		return;
	}
	buf_adds(&r->out, r->used ? "\n  " : "");
	r->used = r->used ? 2 : 0;
	term_add_fit(&r->out, part, r->columns - r->used, false);
	r->used += width < r->columns - r->used ? width : r->columns - r->used;
}

/* The title, or the beginning of what was asked first. */
static void add_title(struct row *r, const struct chat_session *at)
{
	struct span text = at->title ? span_str(at->title) : at->session.conversation.info.title;
	struct buf excerpt = BUF_INIT;

	if (!text.n && at->session.conversation.n)
		text = conversation_exchange(&at->session.conversation, 0)->query;
	if (text.n)
		command_add_excerpt(&excerpt, text);
	add_part(r, buf_span(&excerpt));
	buf_release(&excerpt);
}

static void add_model(struct row *r, const struct chat *chat)
{
	struct span model = chat_model(chat);
	struct buf name = BUF_INIT;

	neutral_add_line(&name, span_str(chat->at.client.endpoint.name));
	if (!span_same(model, buf_span(&name))) {
		buf_addc(&name, ' ');
		neutral_add_line(&name, model);
	}
	add_part(r, buf_span(&name));
	buf_release(&name);
}

static void add_load(struct row *r, const struct chat *chat)
{
	struct buf b = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct load l;

	if (chat->at.session.conversation.n && chat_load(chat, &l, &ignored) == 0 && l.window) {
		add_share(&b, &l);
		add_part(r, buf_span(&b));
	}
	buf_release(&b);
}

static struct row begin_row(const struct chat *chat)
{
	struct row r = { BUF_INIT, term_columns(STDERR_FILENO), 0 };

	r.columns = r.columns < 20 ? 20 : r.columns;
	add_id(&r.out, chat); /* it is never cut */
	r.used = r.out.n;
	return r;
}

static void print_row(struct row *r)
{
	buf_addc(&r->out, '\n');
	print_buf(stderr, &r->out);
}

void print_session_id(const struct chat *chat)
{
	struct row r = begin_row(chat);

	add_model(&r, chat);
	print_row(&r);
}

void print_session_line(const struct chat *chat)
{
	struct row r = begin_row(chat);

	add_title(&r, &chat->at);
	add_model(&r, chat);
	add_load(&r, chat);
	print_row(&r);
}
