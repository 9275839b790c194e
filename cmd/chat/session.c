/* Which session a chat goes on with, and whom it talks to there. */
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "chat/chat.h"

/* On the way into a session: the chat is where it was until that is done. */
struct entry {
	struct chat *chat;
	const struct wish *wish;
	struct session_choice choice; /* with copies that the session owns; aliases are resolved */
	const char *alias;            /* which brought the choice's provider along; or NULL */
	struct chat_session *s;
};

static int provider_stays(const struct entry *n, struct span stored, struct err *e)
{
	const char *asked = n->choice.provider;

	if (!asked || span_eq(stored, asked))
		return 0;
	if (n->alias)
		return err_set(e, ERR_FAILED, "'%s' stands for a model of %s, and session '%s' keeps its "
		               "provider, %.*s; start a new session for it", n->alias, asked, n->s->id,
		               (int)stored.n, stored.p);
	return err_set(e, ERR_FAILED,
	               "session '%s' keeps its provider, %.*s; leave -p out, or start a new session "
	               "with -p %s", n->s->id, (int)stored.n, stored.p, asked);
}

static int system_stays(const struct entry *n, struct span stored, struct err *e)
{
	if (!n->choice.system || (stored.p && span_eq(stored, n->choice.system)))
		return 0;
	return err_set(e, ERR_FAILED,
	               "session '%s' keeps its system prompt; leave -S out, or start a new session",
	               n->s->id);
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

static int ask_for_model(struct entry *n, struct err *e)
{
	struct client *client = &n->s->client;
	struct found f = { BUF_INIT, BUF_INIT, 0 };
	struct err why = ERR_INIT;
	bool local = !client->endpoint.base_url;
	int r = client_open(client, e);

	if (r == 0)
		endpoint_models(&client->endpoint, client->http, n->chat->stop_fd, take_model, &f, &why);
	if (r == 0 && (f.n == 1 || (local && f.n)) && utf8_valid(f.first.p, f.first.n) == f.first.n) {
		buf_clear(&n->s->own.model);
		buf_add(&n->s->own.model, f.first.p, f.first.n);
		r = buf_check(&n->s->own.model, e);
		n->choice.model = n->s->own.model.p;
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
static int choose_model(struct entry *n, struct span stored, struct err *e)
{
	int r = 0;

	if (n->choice.model && !*n->choice.model)
		return err_set(e, ERR_USAGE, "the model's name is empty");
	if (!n->choice.model && !stored.n)
		n->choice.model = endpoint_model(&n->s->client.endpoint);
	if ((!n->choice.model || !*n->choice.model) && !stored.n)
		r = ask_for_model(n, e);
	n->s->model = n->choice.model;
	return r;
}

/* ---- the way ---- */

static struct client begin_client(struct chat *chat)
{
	struct client client = CLIENT_INIT;

	client.schema = chat->schema_file ? buf_span(&chat->schema) : (struct span){ NULL, 0 };
	client.idle_timeout = chat->timeout;
	client.stream = !chat->no_stream;
	client.reasoning = chat->show.reasoning;
	client.stop_fd = chat->stop_fd;
	client.trace = chat->trace_file ? &chat->trace : NULL;
	client.listener = (struct client_listener){ .wait = show_wait, .ctx = &chat->show }; /* a turn has its own */
	return client;
}

static int use_provider(struct entry *n, struct span stored, struct err *e)
{
	struct client *client = &n->s->client;
	const struct cli *cli = n->chat->cli;
	int r = client_use_provider(client, &n->chat->tool.config, stored, e);

	for (size_t i = 0; r == 0 && i < cli->nopts; i++)
		if (cli->opts[i].id == 'o')
			r = params_add(&client->params, cli->opts[i].val, e);
	return r;
}

/* ---- one that exists ---- */

/* One prompt needs only the newest exchange, to know the model: the turn reads what it sends. */
static int read_session(struct chat *chat, struct chat_session *s, struct err *e)
{
	const struct history_want newest = { .last = 1 };
	const struct store *store = &chat->tool.store;

	if (session_recover(store, s->id, e) < 0)
		return -1;
	return session_read(&s->session, store, s->id, chat->one_prompt ? &newest : NULL, e);
}

/* A copy of it as it is now, should it have to be created again: by then the conversation may have been
 * read anew. On an error the earlier copy stays. */
static int take_head(struct chat_session *s, struct err *e)
{
	struct session_head head = s->session.conversation.head.head;
	struct buf line = BUF_INIT;
	struct record copy;
	int r;

	if (!s->session.conversation.head.json)
		return 0;
	head.model = s->session.conversation.info.model;
	head.title = s->session.conversation.info.title;
	record_add_head(&line, &head);
	r = buf_check(&line, e) < 0 ? -1 : record_parse(buf_span(&line), &copy, e);
	if (r == 0) {
		record_release(&s->own.head);
		s->own.head = copy;
		s->head = copy.head;
	}
	buf_release(&line);
	return r;
}

static int resume(struct entry *n, struct err *e)
{
	struct chat_session *s = n->s;
	struct span provider;

	if (read_session(n->chat, s, e) < 0 || take_head(s, e) < 0)
		return -1;
	provider = s->head.provider;
	if (provider_stays(n, provider, e) < 0 || system_stays(n, s->head.system, e) < 0 ||
	    use_provider(n, provider, e) < 0)
		return -1;
	s->exists = true;
	s->title = n->choice.title;
	say_tree(s->id, &s->session.conversation);
	if (choose_model(n, s->session.conversation.info.model, e) < 0)
		return -1;
	if (n->choice.model && !span_eq(s->session.conversation.info.model, n->choice.model))
		say_other_vendor(&s->client.endpoint, n->choice.model, true);
	return 0;
}

static int tell_removed(const struct chat *chat, struct err *e)
{
	if (e->kind != ERR_NOT_FOUND)
		return -1;
	err_clear(e);
	return err_set(e, ERR_GONE, "session '%s' was removed; the next prompt begins it anew, under another "
	               "id", chat->at.id);
}

static void say_waiting(void *ctx, pid_t holder)
{
	const struct chat *chat = ctx;

	say_in_use(chat->at.id, holder);
}

struct lock_wait chat_wait(struct chat *chat)
{
	return (struct lock_wait){ .no_wait = chat->no_wait, .stop_fd = chat->stop_fd,
		                   .waiting = say_waiting, .idle = &chat->idle, .ctx = chat };
}

int chat_lock(struct chat *chat, struct err *e)
{
	const struct lock_wait wait = chat_wait(chat);
	struct chat_session *at = &chat->at;

	if (session_lock(&at->session, &chat->tool.store, at->id, &wait, NULL, e) < 0)
		return tell_removed(chat, e);
	if (take_head(at, e) == 0)
		return 0;
	session_unlock(&at->session);
	return -1;
}

void chat_unlock(struct chat *chat)
{
	struct err ignored = ERR_INIT; /* what was to be done is done */

	session_unlock(&chat->at.session);
	take_head(&chat->at, &ignored);
}

int chat_reload(struct chat *chat, struct err *e)
{
	struct chat_session *s = &chat->at;

	if (!s->exists || chat->no_save)
		return 0;
	if (read_session(chat, s, e) < 0)
		return tell_removed(chat, e);
	return take_head(s, e);
}

/* ---- a new one ---- */

/* The id is chosen now and can be told; the session is made with its first turn, so
 * that a chat that says nothing leaves nothing. */
static int start(struct entry *n, struct err *e)
{
	struct chat_session *s = n->s;

	s->head.created_at = clock_now_ms();
	if (describe_session(&s->head, &n->choice, &n->chat->tool.config, &s->own.cwd, e) < 0 ||
	    use_provider(n, s->head.provider, e) < 0 || choose_model(n, s->head.model, e) < 0)
		return -1;
	if (n->choice.model)
		s->head.model = span_str(n->choice.model);
	s->title = n->choice.title;
	s->create = n->wish->create && !n->choice.system;
	if (!n->wish->session)
		return id_generate(s->id, e);
	snprintf(s->id, ID_SIZE, "%s", n->wish->session);
	return 0;
}

/* ---- which one ---- */

static int advise_create(const struct wish *w, struct err *e)
{
	size_t n = strlen(e->msg);

	snprintf(e->msg + n, sizeof(e->msg) - n, w->last ? "; -n begins one" : "; -n creates it");
	return -1;
}

/* 1: an existing one, its id in `id`. 0: a new one is to be made. */
static int find_session(const struct store *s, const struct wish *w, bool from_options, char id[ID_SIZE],
                        struct err *e)
{
	int r;

	if (!w->session && !w->last)
		return 0;
	if (w->session && id_check(w->session, e) < 0)
		return -1;
	if (w->session && w->create && !history_exists(s, w->session))
		return 0; /* what is to be created is named in full, not by a beginning */
	r = w->last ? session_latest(s, id, e) : session_resolve(s, w->session, id, e);
	if (r == 0)
		return 1;
	if (e->kind != ERR_NOT_FOUND)
		return -1;
	if (!w->create)
		return from_options ? advise_create(w, e) : -1;
	err_clear(e);
	return 0;
}

static int keep(struct buf *to, const char **text, struct err *e)
{
	if (!*text)
		return 0;
	buf_adds(to, *text);
	*text = to->p;
	return buf_check(to, e);
}

/* Aliases are taken by what they stand for. */
static int take_choice(struct entry *n, struct err *e)
{
	struct session_choice *c = &n->choice;
	bool named = n->wish->choice.provider != NULL;

	*c = n->wish->choice;
	if (resolve_alias(c, &n->chat->tool.config, e) < 0)
		return -1;
	n->alias = !named && c->provider ? n->wish->choice.model : NULL;
	if (keep(&n->s->own.provider, &c->provider, e) < 0 || keep(&n->s->own.model, &c->model, e) < 0 ||
	    keep(&n->s->own.system, &c->system, e) < 0 || keep(&n->s->own.title, &c->title, e) < 0)
		return -1;
	return 0;
}

static void release(struct chat_session *s)
{
	session_release(&s->session);
	client_close(&s->client);
	buf_release(&s->unsent.prompt);
	buf_release(&s->unsent.instead_of);
	buf_release(&s->own.provider);
	buf_release(&s->own.model);
	buf_release(&s->own.system);
	buf_release(&s->own.title);
	buf_release(&s->own.cwd);
	record_release(&s->own.head);
	*s = (struct chat_session)CHAT_SESSION_INIT;
}

void chat_leave(struct chat *chat)
{
	chat_title_end(chat);
	release(&chat->at);
}

/* From one conversation to the next. */
static void move(struct chat *chat, struct chat_session *to)
{
	bool first = !*chat->at.id;

	client_inherit(&to->client, &chat->at.client);
	chat_leave(chat);
	chat->at = *to;
	if (first) /* what the command line attached is for this one */
		return;
	files_release(&chat->files);
	chat->show.told_summary = false;
}

int chat_enter(struct chat *chat, const struct wish *w, struct err *e)
{
	struct chat_session next = CHAT_SESSION_INIT;
	struct entry n = { .chat = chat, .wish = w, .s = &next };
	int found;

	next.client = begin_client(chat);
	if (take_choice(&n, e) < 0 || (found = find_session(&chat->tool.store, w, !*chat->at.id, next.id, e)) < 0 ||
	    (found ? resume(&n, e) : start(&n, e)) < 0) {
		release(&next);
		return -1;
	}
	move(chat, &next);
	return 0;
}

int chat_find_store(struct chat *chat, struct err *e)
{
	struct store *s = &chat->tool.store;

	if (s->fd >= 0 || !chat->tool.config.sessions_dir)
		return 0;
	return store_open(s, chat->tool.config.sessions_dir, false, e);
}

int chat_use(struct chat *chat, const char *id, struct err *e)
{
	const struct wish w = { .session = id };

	return chat_find_store(chat, e) < 0 ? -1 : chat_enter(chat, &w, e);
}

struct span chat_model(const struct chat *chat)
{
	const struct chat_session *s = &chat->at;

	if (s->model)
		return span_str(s->model);
	return s->session.conversation.head.json ? s->session.conversation.info.model : s->head.model;
}
