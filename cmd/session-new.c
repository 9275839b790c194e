/* mc-session-new: creates a session and prints its id. */
#include <json-c/json_object.h>
#include <stdlib.h>
#include <string.h>

#include "applet.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "store/session.h"
#include "tool.h"

enum { O_META = OPT_LONG, O_JSON };

static const struct opt opts[] = {
	{ 'i', "id", "ID", ARG_TEXT, "name the session instead of having a name chosen" },
	{ 'p', "provider", "NAME", ARG_PROVIDER, "the provider, for the session's life" },
	{ 'm', "model", "NAME", ARG_MODEL, "the model" },
	{ 'S', "system", "TEXT", ARG_TEXT, "the system prompt" },
	{ 't', "title", "TEXT", ARG_TEXT, "a title" },
	{ 'C', "cwd", "DIR", ARG_DIR, "its directory (default: the current one)" },
	{ O_META, "meta", "KEY=VALUE", ARG_TEXT, "a note of your own; may be given more than once" },
	{ O_JSON, "json", NULL, ARG_NONE, "print the session record instead of the id" },
	{ 0 },
};

struct request {
	const char *id;
	struct session_choice choice;
	struct json_object *metadata;
	bool json;
};

static int add_meta(struct request *rq, const char *pair, struct err *e)
{
	const char *eq = strchr(pair, '=');
	struct json_object *value;
	char *key;
	int bad;

	if (!eq || eq == pair)
		return err_set(e, ERR_USAGE, "'%s' is not of the form KEY=VALUE", pair);
	if (utf8_valid(pair, strlen(pair)) < strlen(pair))
		return err_set(e, ERR_USAGE, "the metadata is not valid UTF-8");
	if (!rq->metadata)
		rq->metadata = json_object_new_object();
	key = strndup(pair, (size_t)(eq - pair));
	value = json_object_new_string(eq + 1);
	bad = !rq->metadata || !key || !value || json_object_object_add(rq->metadata, key, value) < 0;
	if (bad)
		json_object_put(value);
	free(key);
	return bad ? err_oom(e) : 0;
}

static int read_options(const struct cli *c, struct request *rq, struct err *e)
{
	for (size_t i = 0; i < c->nopts; i++) {
		const char *val = c->opts[i].val;

		switch (c->opts[i].id) {
		case 'i': rq->id = val; break;
		case 'p': rq->choice.provider = val; break;
		case 'm': rq->choice.model = val; break;
		case 'S': rq->choice.system = utf8_unmarked(span_str(val)).p; break; /* of "$(cat FILE)" */
		case 't': rq->choice.title = utf8_unmarked(span_str(val)).p; break;
		case 'C': rq->choice.cwd = val; break;
		case O_JSON: rq->json = true; break;
		case O_META:
			if (add_meta(rq, val, e) < 0)
				return -1;
		}
	}
	return rq->id ? id_check(rq->id, e) : 0;
}

static int print_created(const struct request *rq, const struct session_head *head)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;

	if (rq->json)
		record_add_head(&b, head);
	else
		buf_addf(&b, "%.*s\n", (int)head->id.n, head->id.p);
	if (buf_check(&b, &e) < 0)
		return fail(&e);
	print_json(buf_span(&b));
	buf_release(&b);
	return EXIT_DONE;
}

static int create(const struct request *rq, struct tool *t, struct err *e)
{
	struct session_head head = { .created_at = clock_now_ms(), .metadata = rq->metadata };
	struct buf cwd = BUF_INIT;
	char id[ID_SIZE];
	int status;

	if (tool_open(t, true, e) < 0 || describe_session(&head, &rq->choice, &t->config, &cwd, e) < 0) {
		buf_release(&cwd);
		return fail(e);
	}
	if (rq->id)
		head.id = span_str(rq->id);
	status = session_create(&t->store, &head, id, e) < 0 ? fail(e) : print_created(rq, &head);
	buf_release(&cwd);
	return status;
}

static int run(const struct cli *c)
{
	struct err e = ERR_INIT;
	struct request rq = { 0 };
	struct tool t = { .config = CONFIG_INIT, .store = { .fd = -1, .stop_fd = -1 } };
	int status = read_options(c, &rq, &e) < 0 ? fail(&e) : create(&rq, &t, &e);

	json_object_put(rq.metadata);
	tool_close(&t);
	return status;
}

const struct applet applet_session_new = {
	.name = "mc-session-new",
	.summary = "create a session and print its id",
	.operands = "",
	.opts = opts,
	.run = run,
};
