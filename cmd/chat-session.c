/* Which session a chat goes on with, and whom it talks to there. */
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "chat.h"

static int provider_stays(const struct chat *chat, struct span stored, struct err *e)
{
	const char *asked = chat->choice.provider;

	if (!asked || span_eq(stored, asked))
		return 0;
	if (chat->alias)
		return err_set(e, ERR_FAILED, "'%s' stands for a model of %s, and session '%s' keeps its "
		               "provider, %.*s; start a new session for it", chat->alias, asked, chat->id,
		               (int)stored.n, stored.p);
	return err_set(e, ERR_FAILED,
	               "session '%s' keeps its provider, %.*s; leave -p out, or start a new session "
	               "with -p %s", chat->id, (int)stored.n, stored.p, asked);
}

static int system_stays(const struct chat *chat, struct span stored, struct err *e)
{
	if (!chat->choice.system || (stored.p && span_eq(stored, chat->choice.system)))
		return 0;
	return err_set(e, ERR_FAILED,
	               "session '%s' keeps its system prompt; leave -S out, or start a new session",
	               chat->id);
}

/* A server that has one model only needs no name for it; of a local one, any will do. */
struct found {
	struct buf names;
	struct buf first;
	size_t n;
};

static int take_model(void *ctx, const struct model *m, struct err *e)
{
	struct found *f = ctx;

	if (!f->n++)
		buf_add(&f->first, m->id.p, m->id.n);
	if (f->n <= 10)
		buf_addf(&f->names, "%s%.*s", f->n > 1 ? ", " : "", (int)m->id.n, m->id.p);
	return buf_check(&f->first, e);
}

static int ask_for_model(struct chat *chat, struct err *e)
{
	struct endpoint *ep = &chat->how.endpoint;
	struct found f = { BUF_INIT, BUF_INIT, 0 };
	struct err why = ERR_INIT;
	bool local = !ep->base_url;
	int r = talk_open(&chat->how, e);

	if (r == 0)
		endpoint_models(ep, chat->how.http, chat->stop_fd, take_model, &f, &why);
	if (r == 0 && (f.n == 1 || (local && f.n)) && utf8_valid(f.first.p, f.first.n) == f.first.n) {
		buf_add(&chat->found_model, f.first.p, f.first.n);
		chat->choice.model = chat->found_model.p;
	} else if (r == 0) {
		r = err_set(e, ERR_USAGE, "no model is chosen: name one with -m, MC_MODEL or \"model\" in the "
		            "config file%s%s%s", f.n ? "; the server has: "
		            : why.msg[0] ? "; the server's list could not be had: " : "",
		            f.n ? f.names.p : why.msg, f.n > 10 ? " and others" : "");
	}
	buf_release(&f.names);
	buf_release(&f.first);
	return r;
}

/* A session that never had a model takes the settings'. */
static int choose_model(struct chat *chat, struct span stored, struct err *e)
{
	if (chat->choice.model && !*chat->choice.model)
		return err_set(e, ERR_USAGE, "the model's name is empty");
	if (!chat->choice.model && !stored.n)
		chat->choice.model = endpoint_model(&chat->how.endpoint);
	if ((chat->choice.model && *chat->choice.model) || stored.n)
		return 0;
	return ask_for_model(chat, e);
}

static int use_provider(struct chat *chat, struct span stored, struct err *e)
{
	struct buf name = BUF_INIT;
	int r;

	buf_add(&name, stored.p, stored.n);
	r = buf_check(&name, e);
	if (r == 0)
		r = endpoint_find(&chat->how.endpoint, &chat->tool.config, name.p, e);
	if (r == 0)
		r = endpoint_params(&chat->how.endpoint, &chat->how.params, e);
	for (size_t i = 0; r == 0 && i < chat->cli->nopts; i++)
		if (chat->cli->opts[i].id == 'o')
			r = params_add(&chat->how.params, chat->cli->opts[i].val, e);
	buf_release(&name);
	return r;
}

static int load_so_far(struct chat *chat, struct err *e)
{
	const struct store *s = &chat->tool.store;
	struct jsonl j;
	int r;

	if (session_recover(s, chat->id, e) < 0 || history_map(s, chat->id, &j, e) < 0)
		return -1;
	r = conversation_load(&chat->so_far, s, chat->id, &j, e);
	jsonl_unmap(&j); /* the records are copies */
	return r;
}

static int resume(struct chat *chat, struct err *e)
{
	const struct session_head *head;

	if (load_so_far(chat, e) < 0)
		return -1;
	head = &chat->so_far.head.head;
	if (provider_stays(chat, head->provider, e) < 0 || system_stays(chat, head->system, e) < 0 ||
	    use_provider(chat, head->provider, e) < 0)
		return -1;
	chat->exists = true;
	chat->head = *head;
	chat->head.model = chat->so_far.summary.model; /* as they are now, should it have to be */
	chat->head.title = chat->so_far.summary.title; /* created again */
	return choose_model(chat, chat->so_far.summary.model, e);
}

/* The id is chosen now and can be told; the session is made with its first turn, so
 * that a chat that says nothing leaves nothing. */
static int start(struct chat *chat, struct err *e)
{
	chat->head.created_at = clock_now_ms();
	if (describe_session(&chat->head, &chat->choice, &chat->tool.config, &chat->cwd, e) < 0 ||
	    use_provider(chat, chat->head.provider, e) < 0 ||
	    choose_model(chat, chat->head.model, e) < 0)
		return -1;
	if (chat->choice.model)
		chat->head.model = span_str(chat->choice.model);
	if (!chat->session)
		return id_generate(chat->id, e);
	snprintf(chat->id, ID_SIZE, "%s", chat->session);
	return 0;
}

/* 1: an existing one, its id in chat->id. 0: a new one is to be made. */
static int find_session(struct chat *chat, struct err *e)
{
	const struct store *s = &chat->tool.store;
	int r;

	if (!chat->session && !chat->last)
		return 0;
	if (chat->session && id_check(chat->session, e) < 0)
		return -1;
	if (chat->session && chat->create && !session_exists(s, chat->session))
		return 0; /* what is to be created is named in full, not by a beginning */
	r = chat->last ? session_latest(s, chat->id, e) : session_resolve(s, chat->session, chat->id, e);
	if (r == 0)
		return 1;
	if (e->kind != ERR_NOT_FOUND || !chat->create)
		return -1;
	err_clear(e);
	return 0;
}

static int take_alias(struct chat *chat, struct err *e)
{
	const char *name = chat->choice.provider ? NULL : chat->choice.model;

	if (resolve_alias(&chat->choice, &chat->tool.config, e) < 0)
		return -1;
	chat->alias = chat->choice.provider ? name : NULL;
	return 0;
}

int chat_find(struct chat *chat, struct err *e)
{
	int found;

	if (take_alias(chat, e) < 0)
		return -1;
	found = find_session(chat, e);
	if (found < 0)
		return -1;
	return found ? resume(chat, e) : start(chat, e);
}
