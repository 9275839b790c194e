/* Commands about the session: another one, and what this one is. */
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "base/words.h"
#include "chat/command.h"
#include "client/models.h"
#include "client/provider-choice.h"
#include "tty/neutral.h"

#define SHOWN_MODELS 20

static const struct opt new_opts[] = {
	{ 'p', "provider", "NAME", ARG_PROVIDER, "its provider" },
	{ 'm', "model", "NAME", ARG_MODEL, "its model" },
	{ 0 },
};

/* ---- /new ---- */

static int read_new(struct wish *w, const struct words *words, struct err *e)
{
	struct cli c = CLI_INIT;
	int r = cli_parse(&c, new_opts, (int)words->n, words->v, e);

	for (size_t i = 0; r == 0 && i < c.nopts; i++) {
		if (c.opts[i].id == 'p')
			w->choice.provider = c.opts[i].val;
		else if (c.opts[i].id == 'm')
			w->choice.model = c.opts[i].val;
		else
			r = err_set(e, ERR_USAGE, "/new takes -p PROVIDER and -m MODEL");
	}
	if (r == 0 && c.noperands)
		r = err_set(e, ERR_USAGE, "/new takes -p PROVIDER and -m MODEL, and no '%s': the prompt comes "
		            "after it", c.operands[0]);
	cli_release(&c);
	return r == 0 ? check_choice(&w->choice, e) : -1;
}

/* A vendor has no models of another one: then the model's name chooses, as for mc-chat. */
static const char *provider_for(const struct chat *chat, const char *model)
{
	const struct endpoint *ep = &chat->at.client.endpoint;
	const struct provider *vendor;

	if (chat->tool.config.provider || !ep->provider->families ||
	    strcmp(ep->name, ep->provider->name) != 0)
		return ep->name;
	vendor = provider_find(provider_choose(&chat->tool.config, model));
	return vendor && vendor->families ? vendor->name : ep->name;
}

/* What is not said is as it is in the session that is left. */
static void fill_in(const struct chat *chat, struct wish *w, struct buf *model)
{
	const struct config_alias *a;

	if (w->choice.provider)
		return;
	if (!w->choice.model) {
		buf_add(model, chat_model(chat).p, chat_model(chat).n);
		w->choice.provider = chat->at.client.endpoint.name;
		w->choice.model = model->n ? model->p : NULL;
		return;
	}
	a = config_alias(&chat->tool.config, w->choice.model);
	if (!a || !a->provider)
		w->choice.provider = provider_for(chat, a ? a->model : w->choice.model);
}

bool command_new(struct chat *chat, struct span args)
{
	struct words words = WORDS_INIT;
	struct buf model = BUF_INIT;
	struct wish w = { .session = NULL };
	struct err e = ERR_INIT;
	int r = words_split(&words, args, &e);

	if (r == 0)
		r = read_new(&w, &words, &e);
	if (r == 0) {
		fill_in(chat, &w, &model);
		r = buf_check(&model, &e) < 0 ? -1 : chat_enter(chat, &w, &e);
	}
	words_release(&words);
	buf_release(&model);
	if (r < 0)
		return command_fail(&e);
	if (chat->no_save)
		command_tell("A new conversation");
	print_session(chat);
	return true;
}

/* ---- /use ---- */

bool command_use(struct chat *chat, struct span args)
{
	struct words words = WORDS_INIT;
	struct err e = ERR_INIT;
	int r = words_split(&words, args, &e);

	if (r == 0 && words.n != 1)
		r = err_set(&e, ERR_USAGE, "/use takes the id of a session, or its beginning");
	if (r == 0)
		r = chat_use(chat, words.v[0], &e);
	words_release(&words);
	if (r == 0) {
		print_session(chat);
	} else {
		fail(&e);
		if (e.kind == ERR_NOT_FOUND) /* each time: a person has asked again */
			print_recent_sessions(&chat->tool.store);
	}
	return true;
}

/* ---- /model ---- */

static void tell_models(const struct chat *chat, const struct model_list *list)
{
	struct buf line = BUF_INIT;

	for (size_t i = 0; i < list->n && i < SHOWN_MODELS; i++)
		buf_addf(&line, "%s%s", i ? ", " : "", list->v[i].id);
	if (list->n > SHOWN_MODELS)
		buf_addf(&line, " and %zu more", list->n - SHOWN_MODELS);
	if (list->n)
		command_tell("It offers %s; mc-models tells more", line.p);
	else
		command_tell("Run 'mc-models -p %s' to see what it offers", chat->at.client.endpoint.name);
	buf_release(&line);
}

static void tell_model(const struct chat *chat)
{
	struct model_list list = MODEL_LIST_INIT;
	struct span model = chat_model(chat);

	models_cached(&list, &chat->at.client.endpoint);
	command_tell("Model: %.*s, of %s", (int)model.n, model.p, chat->at.client.endpoint.name);
	tell_models(chat, &list);
	models_release(&list);
}

/* The list may be old, and servers take names that they do not list: so it is only told. */
static void tell_unlisted(const struct chat *chat, const char *model)
{
	struct model_list list = MODEL_LIST_INIT;
	struct buf line = BUF_INIT;
	const char *suggestion[3];
	size_t n;

	models_cached(&list, &chat->at.client.endpoint);
	if (list.n && !models_find(&list, model)) {
		n = models_suggest(&list, model, suggestion, sizeof(suggestion) / sizeof(suggestion[0]));
		for (size_t i = 0; i < n; i++)
			buf_addf(&line, "%s%s", i ? ", " : "; similar: ", suggestion[i]);
		command_tell("It is not among the models that %s was last known to offer%s",
		             chat->at.client.endpoint.name, line.p);
	}
	buf_release(&line);
	models_release(&list);
}

static int advise_new(const char *alias, const char *provider, const char *here, struct err *e)
{
	struct buf word = BUF_INIT;

	words_quote(&word, span_str(alias));
	err_set(e, ERR_USAGE, "'%s' stands for a model of %s, and a session keeps its provider, which is %s; "
	        "'/new -m %s' begins one with it", alias, provider, here, word.p);
	buf_release(&word);
	return -1;
}

/* The name that an alias stands for, here. */
static int find_model(const struct chat *chat, const char *given, const char **model,
                      struct err *e)
{
	const struct session_choice choice = { .model = given };
	const struct config_alias *a = config_alias(&chat->tool.config, given);
	const char *here = chat->at.client.endpoint.name;

	if (a && a->provider && strcmp(a->provider, here) != 0)
		return advise_new(given, a->provider, here, e);
	*model = a ? a->model : given;
	if (!**model)
		return err_set(e, ERR_USAGE, "the model's name is empty");
	return check_choice(&choice, e);
}

static int set_model(struct chat *chat, const char *given, struct err *e)
{
	struct chat_session *at = &chat->at;
	struct buf model = BUF_INIT;
	const char *name = NULL;

	if (find_model(chat, given, &name, e) < 0)
		return -1;
	buf_adds(&model, name);
	if (buf_check(&model, e) < 0)
		return -1;
	buf_release(&at->own.model);
	at->own.model = model;
	at->model = model.p;
	at->head.model = buf_span(&model); /* of one that is to be made, or made again */
	return 0;
}

bool command_model(struct chat *chat, struct span args)
{
	struct words words = WORDS_INIT;
	struct err e = ERR_INIT;
	int r = words_split(&words, args, &e);

	if (r == 0 && words.n > 1)
		r = err_set(&e, ERR_USAGE, "/model takes one name");
	if (r == 0 && chat_reload(chat, &e) < 0)
		r = -1;
	if (r == 0 && words.n)
		r = set_model(chat, words.v[0], &e);
	if (r < 0) {
		command_fail(&e);
	} else if (words.n) {
		command_tell("Model: %s, from the next prompt on", chat->at.model);
		say_other_vendor(&chat->at.client.endpoint, chat->at.model, true);
		tell_unlisted(chat, chat->at.model);
	} else {
		tell_model(chat);
	}
	words_release(&words);
	return true;
}

/* ---- /system ---- */

/* A TEXT that is a pair of quotes is an empty one. */
static bool is_nothing(struct span text)
{
	return span_eq(text, "\"\"") || span_eq(text, "''");
}

static int check_text(struct span text, const char *what, struct err *e)
{
	if (utf8_valid(text.p, text.n) < text.n || memchr(text.p, '\0', text.n))
		return err_set(e, ERR_USAGE, "the %s is not valid UTF-8", what);
	return 0;
}

static void print_system(const struct chat *chat)
{
	struct span text = chat->at.head.system;
	struct buf b = BUF_INIT;

	if (!text.n) {
		command_tell("There is no system prompt");
		return;
	}
	neutral_add(&b, text);
	buf_addc(&b, '\n');
	print_buf(stderr, &b);
}

static int set_system(struct chat *chat, struct span text, struct err *e)
{
	struct chat_session *at = &chat->at;

	if (at->exists || at->session.conversation.n)
		return err_set(e, ERR_USAGE, "a session keeps its system prompt; '/new' and then '/system TEXT' "
		               "begin one with another");
	if (check_text(text, "system prompt", e) < 0)
		return -1;
	buf_clear(&at->own.system);
	if (!is_nothing(text))
		buf_add(&at->own.system, text.p, text.n);
	at->head.system = at->own.system.n ? buf_span(&at->own.system) : (struct span){ NULL, 0 };
	at->create = false; /* another process may create it with another system prompt */
	return buf_check(&at->own.system, e);
}

bool command_system(struct chat *chat, struct span args)
{
	struct err e = ERR_INIT;

	if (chat_reload(chat, &e) < 0 || (args.n && set_system(chat, args, &e) < 0))
		return command_fail(&e);
	if (!args.n)
		print_system(chat);
	else if (chat->at.head.system.n)
		command_tell("The system prompt is set");
	else
		command_tell("There will be no system prompt");
	return true;
}

/* ---- /title ---- */

static int store_title(struct chat *chat, struct span title, struct err *e)
{
	const struct change change = { .title = title, .usage = USAGE_NONE };
	const struct conversation *c = &chat->at.session.conversation;
	int r = 0;

	if (chat_lock(chat, e) < 0)
		return -1;
	if (!span_same(c->info.title.p ? c->info.title : span_str(""), title))
		r = session_append_change(&chat->at.session, change, e);
	chat_unlock(chat);
	return r;
}

/* One line: what is typed may have several. */
static int clean_title(struct buf *title, struct span text, struct err *e)
{
	if (check_text(text, "title", e) < 0)
		return -1;
	if (is_nothing(text))
		return 0;
	for (size_t i = 0; i < text.n; i++)
		buf_addc(title, strchr("\n\r\t", text.p[i]) ? ' ' : text.p[i]);
	return buf_check(title, e);
}

static int set_title(struct chat *chat, struct span text, struct err *e)
{
	struct chat_session *at = &chat->at;
	struct buf title = BUF_INIT;
	int r = clean_title(&title, text, e);

	if (r == 0 && at->exists)
		r = store_title(chat, buf_span(&title), e);
	if (r < 0) {
		buf_release(&title);
		return -1;
	}
	buf_release(&at->own.title);
	at->own.title = title;
	at->head.title = title.n ? buf_span(&title) : (struct span){ NULL, 0 };
	at->title = at->exists || !title.n ? NULL : title.p; /* the one of before is overtaken */
	return 0;
}

static void print_title(const struct chat *chat)
{
	const struct chat_session *at = &chat->at;
	struct span title = at->title ? span_str(at->title) : at->head.title;
	struct buf excerpt = BUF_INIT;

	if (title.n) {
		command_tell("Title: %.*s", (int)title.n, title.p);
	} else if (at->session.conversation.info.first_query.n) {
		command_add_excerpt(&excerpt, at->session.conversation.info.first_query);
		command_tell("There is no title; the first prompt stands for it: %s", excerpt.p);
		buf_release(&excerpt);
	} else {
		command_tell("There is no title yet");
	}
}

bool command_title(struct chat *chat, struct span args)
{
	struct err e = ERR_INIT;

	if (chat->no_save && args.n) {
		err_set(&e, ERR_USAGE, "nothing is stored with --no-save, so there is nothing to give a title");
		return command_fail(&e);
	}
	if (chat_reload(chat, &e) < 0 || (args.n && set_title(chat, args, &e) < 0))
		return command_fail(&e);
	print_title(chat);
	return true;
}
