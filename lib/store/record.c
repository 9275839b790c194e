#include "store/record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/sha256.h"
#include "store/id.h"

static const char *const status_names[] = { "complete", "error", "interrupted" };

const char *status_name(enum status s)
{
	return status_names[s];
}

bool usage_known(const struct usage *u)
{
	return u->input >= 0 || u->output >= 0 || u->total >= 0 || u->reasoning >= 0 || u->cached >= 0;
}

static void add_known(int64_t *sum, int64_t n)
{
	if (n >= 0)
		*sum = (*sum < 0 ? 0 : *sum) + n;
	if (*sum > COUNT_MAX)
		*sum = COUNT_MAX;
}

void usage_add(struct usage *sum, const struct usage *u)
{
	add_known(&sum->input, u->input);
	add_known(&sum->output, u->output);
	add_known(&sum->total, u->total);
	add_known(&sum->reasoning, u->reasoning);
	add_known(&sum->cached, u->cached);
}

/* ---- reading ---- */

static int need(int got, const char *key, struct err *e)
{
	return got == 0 ? err_set(e, ERR_DAMAGED, "'%s' is missing", key) : got;
}

static int need_str(struct json_object *o, const char *key, struct span *s, struct err *e)
{
	return need(json_get_str(o, key, s, e), key, e);
}

static int need_time(struct json_object *o, const char *key, int64_t *ms, struct err *e)
{
	int got = need(json_get_int(o, key, ms, e), key, e);

	/* Up to the year 9999; what a damaged digit makes of a time is not one. */
	if (got > 0 && (*ms < 0 || *ms > TIME_MAX))
		return err_set(e, ERR_DAMAGED, "'%s' is no time in milliseconds", key);
	return got;
}

static int parse_head(struct json_object *o, struct session_head *h, struct err *e)
{
	int64_t version = 0;

	if (need(json_get_int(o, "version", &version, e), "version", e) < 0)
		return -1;
	if (version != RECORD_VERSION)
		return err_set(e, ERR_VERSION,
		               "its format has version %" PRId64 "; this mcbox knows version %d", version,
		               RECORD_VERSION);
	if (need_str(o, "id", &h->id, e) < 0 || need_time(o, "createdAt", &h->created_at, e) < 0 ||
	    need_str(o, "provider", &h->provider, e) < 0 || need_str(o, "model", &h->model, e) < 0 ||
	    json_get_str(o, "cwd", &h->cwd, e) < 0 || json_get_str(o, "title", &h->title, e) < 0 ||
	    json_get_str(o, "system", &h->system, e) < 0 ||
	    json_get_obj(o, "metadata", &h->metadata, e) < 0)
		return -1;
	if (!id_valid(h->id.p, h->id.n))
		return err_set(e, ERR_DAMAGED, "'id' is no session id");
	return 0;
}

static int parse_status(struct json_object *o, enum status *status, struct err *e)
{
	struct span s;

	if (need_str(o, "status", &s, e) < 0)
		return -1;
	for (*status = STATUS_COMPLETE; *status <= STATUS_INTERRUPTED; (*status)++)
		if (span_eq(s, status_names[*status]))
			return 0;
	return err_set(e, ERR_DAMAGED, "'status' must be complete, error or interrupted");
}

static int get_count(struct json_object *o, const char *key, int64_t *n, struct err *e)
{
	int got = json_get_int(o, key, n, e);

	if (got > 0 && (*n < 0 || *n > COUNT_MAX))
		return err_set(e, ERR_DAMAGED, "'%s' is no count", key);
	return got;
}

static int parse_usage(struct json_object *record, struct usage *u, struct err *e)
{
	struct json_object *o = NULL;
	int got = json_get_obj(record, "tokenUsage", &o, e);

	if (got <= 0)
		return got;
	if (get_count(o, "inputTokens", &u->input, e) < 0 ||
	    get_count(o, "outputTokens", &u->output, e) < 0 ||
	    get_count(o, "totalTokens", &u->total, e) < 0 ||
	    get_count(o, "reasoningTokens", &u->reasoning, e) < 0 ||
	    get_count(o, "cachedInputTokens", &u->cached, e) < 0)
		return -1;
	return 0;
}

static int parse_attachment(struct json_object *o, struct attachment_ref *a, struct err *e)
{
	if (!json_object_is_type(o, json_type_object))
		return err_set(e, ERR_DAMAGED, "not an object");
	if (need_str(o, "sha256", &a->sha256, e) < 0 || need_str(o, "name", &a->name, e) < 0 ||
	    need_str(o, "type", &a->type, e) < 0 ||
	    need(get_count(o, "size", &a->size, e), "size", e) < 0)
		return -1;
	if (!sha256_valid(a->sha256)) /* it becomes part of a path */
		return err_set(e, ERR_DAMAGED, "'sha256' is no digest");
	return 0;
}

static void free_list(struct json_object *owner, void *list)
{
	(void)owner;
	free(list);
}

/* The list of them belongs to the JSON array, as their strings do: so a record may be copied
 * like any other. */
int record_parse_attachments(struct json_object *o, struct exchange *x, struct err *e)
{
	struct json_object *list = json_member(o, "attachments");
	struct attachment_ref *refs;
	size_t n;

	if (!list)
		return 0;
	if (!json_object_is_type(list, json_type_array))
		return err_set(e, ERR_DAMAGED, "'attachments' must be an array");
	n = json_object_array_length(list);
	refs = calloc(n + 1, sizeof(*refs));
	if (!refs)
		return err_oom(e);
	json_object_set_userdata(list, refs, free_list);
	for (size_t i = 0; i < n; i++)
		if (parse_attachment(json_object_array_get_idx(list, i), &refs[i], e) < 0)
			return e->kind == ERR_DAMAGED ? err_prefix(e, "'attachments' %zu", i + 1) : -1;
	x->attachments = refs;
	x->nattachments = n;
	return 0;
}

static int parse_exchange(struct json_object *o, struct exchange *x, struct err *e)
{
	x->duration = -1;
	x->usage = (struct usage)USAGE_NONE;
	if (need_str(o, "id", &x->id, e) < 0 || need_time(o, "timestamp", &x->timestamp, e) < 0 ||
	    need_str(o, "query", &x->query, e) < 0 || need_str(o, "answer", &x->answer, e) < 0 ||
	    need_str(o, "model", &x->model, e) < 0 || parse_status(o, &x->status, e) < 0 ||
	    get_count(o, "duration", &x->duration, e) < 0 || parse_usage(o, &x->usage, e) < 0 ||
	    get_count(o, "leftOut", &x->left_out, e) < 0 ||
	    json_get_str(o, "finishReason", &x->finish_reason, e) < 0 ||
	    json_get_str(o, "error", &x->error, e) < 0 ||
	    json_get_str(o, "reasoning", &x->reasoning, e) < 0 ||
	    record_parse_attachments(o, x, e) < 0)
		return -1;
	return 0;
}

static int parse_change(struct json_object *o, struct change *c, struct err *e)
{
	c->usage = (struct usage)USAGE_NONE;
	if (need_time(o, "timestamp", &c->timestamp, e) < 0 ||
	    json_get_str(o, "model", &c->model, e) < 0 || json_get_str(o, "title", &c->title, e) < 0)
		return -1;
	return parse_usage(o, &c->usage, e);
}

static int parse_rewind(struct json_object *o, struct span *to, struct err *e)
{
	int64_t ignored;

	if (need_time(o, "timestamp", &ignored, e) < 0)
		return -1;
	if (!json_object_object_get_ex(o, "to", NULL))
		return err_set(e, ERR_DAMAGED, "'to' is missing");
	return json_get_str(o, "to", to, e) < 0 ? -1 : 0;
}

static int parse_gist(struct json_object *o, struct gist *g, struct err *e)
{
	g->usage = (struct usage)USAGE_NONE;
	if (need_time(o, "timestamp", &g->timestamp, e) < 0 || need_str(o, "upTo", &g->up_to, e) < 0 ||
	    need_str(o, "text", &g->text, e) < 0 || need_str(o, "model", &g->model, e) < 0)
		return -1;
	return parse_usage(o, &g->usage, e);
}

static int parse_typed(struct record *r, struct err *e)
{
	struct span type;

	if (need_str(r->json, "type", &type, e) < 0)
		return -1;
	if (span_eq(type, "session")) {
		r->type = RECORD_SESSION;
		return parse_head(r->json, &r->head, e);
	}
	if (span_eq(type, "exchange")) {
		r->type = RECORD_EXCHANGE;
		return parse_exchange(r->json, &r->exchange, e);
	}
	if (span_eq(type, "change")) {
		r->type = RECORD_CHANGE;
		return parse_change(r->json, &r->change, e);
	}
	if (span_eq(type, "rewind")) {
		r->type = RECORD_REWIND;
		return parse_rewind(r->json, &r->rewind_to, e);
	}
	if (span_eq(type, "summary")) {
		r->type = RECORD_SUMMARY;
		return parse_gist(r->json, &r->gist, e);
	}
	r->type = RECORD_OTHER;
	return 0;
}

int record_parse(struct span line, struct record *r, struct err *e)
{
	memset(r, 0, sizeof(*r));
	if (json_parse_object(line, &r->json, e) < 0)
		return -1;
	if (parse_typed(r, e) < 0) {
		record_release(r);
		return -1;
	}
	return 0;
}

void record_release(struct record *r)
{
	json_object_put(r->json);
	memset(r, 0, sizeof(*r));
}

/* ---- writing ---- */

static void add_str(struct buf *b, const char *key, struct span s)
{
	buf_addf(b, ",\"%s\":", key);
	json_add_str(b, s);
}

void record_add_optional(struct buf *b, const char *key, struct span value)
{
	if (value.p)
		add_str(b, key, value);
}

void record_add_head(struct buf *b, const struct session_head *h)
{
	buf_addf(b, "{\"type\":\"session\",\"version\":%d", RECORD_VERSION);
	add_str(b, "id", h->id);
	buf_addf(b, ",\"createdAt\":%" PRId64, h->created_at);
	add_str(b, "cwd", h->cwd);
	add_str(b, "provider", h->provider);
	add_str(b, "model", h->model);
	record_add_optional(b, "title", h->title);
	record_add_optional(b, "system", h->system);
	if (h->metadata) {
		buf_adds(b, ",\"metadata\":");
		json_add_value(b, h->metadata);
	}
	buf_adds(b, "}\n");
}

static void add_tokens(struct buf *b, const char *key, int64_t n)
{
	if (n >= 0)
		buf_addf(b, "%s\"%s\":%" PRId64, b->n && b->p[b->n - 1] == '{' ? "" : ",", key, n);
}

void record_add_usage(struct buf *b, const struct usage *u)
{
	if (!usage_known(u)) {
		buf_adds(b, "null");
		return;
	}
	buf_addc(b, '{');
	add_tokens(b, "inputTokens", u->input);
	add_tokens(b, "outputTokens", u->output);
	add_tokens(b, "totalTokens", u->total);
	add_tokens(b, "reasoningTokens", u->reasoning);
	add_tokens(b, "cachedInputTokens", u->cached);
	buf_addc(b, '}');
}

void record_add_attachments(struct buf *b, const struct exchange *x)
{
	if (!x->nattachments)
		return;
	for (size_t i = 0; i < x->nattachments; i++) {
		const struct attachment_ref *a = &x->attachments[i];

		buf_adds(b, i ? ",{\"sha256\":" : ",\"attachments\":[{\"sha256\":");
		json_add_str(b, a->sha256);
		add_str(b, "name", a->name);
		add_str(b, "type", a->type);
		buf_addf(b, ",\"size\":%" PRId64 "}", a->size);
	}
	buf_addc(b, ']');
}

#define LARGE 1048576

static void add_large(struct buf *b, const char *key, struct span s, struct record_gaps *gaps)
{
	if (!gaps || s.n < LARGE) {
		add_str(b, key, s);
		return;
	}
	buf_addf(b, ",\"%s\":\"\"", key);
	gaps->list[gaps->n++] = (struct json_gap){ b->n - 1, s };
}

static void add_exchange(struct buf *b, const struct exchange *x, struct record_gaps *gaps)
{
	buf_adds(b, "\"type\":\"exchange\"");
	add_str(b, "id", x->id);
	buf_addf(b, ",\"timestamp\":%" PRId64, x->timestamp);
	add_large(b, "query", x->query, gaps);
	add_large(b, "answer", x->answer, gaps);
	buf_adds(b, ",\"summary\":null");
	add_str(b, "model", x->model);
	buf_addf(b, ",\"status\":\"%s\"", status_name(x->status));
	if (x->duration >= 0)
		buf_addf(b, ",\"duration\":%" PRId64, x->duration);
	else
		buf_adds(b, ",\"duration\":null");
	buf_adds(b, ",\"tokenUsage\":");
	record_add_usage(b, &x->usage);
	if (x->left_out)
		buf_addf(b, ",\"leftOut\":%" PRId64, x->left_out);
	record_add_optional(b, "finishReason", x->finish_reason);
	record_add_optional(b, "error", x->error);
	if (x->reasoning.p)
		add_large(b, "reasoning", x->reasoning, gaps);
	record_add_attachments(b, x);
}

void record_add_exchange_members(struct buf *b, const struct exchange *x)
{
	add_exchange(b, x, NULL);
}

void record_add_exchange_gaps(struct buf *b, const struct exchange *x, struct record_gaps *gaps)
{
	gaps->n = 0;
	buf_addc(b, '{');
	add_exchange(b, x, gaps);
	buf_adds(b, "}\n");
}

void record_add_exchange(struct buf *b, const struct exchange *x)
{
	buf_addc(b, '{');
	add_exchange(b, x, NULL);
	buf_adds(b, "}\n");
}

static void add_known_usage(struct buf *b, const struct usage *u)
{
	if (!usage_known(u))
		return;
	buf_adds(b, ",\"tokenUsage\":");
	record_add_usage(b, u);
}

void record_add_change(struct buf *b, const struct change *c)
{
	buf_addf(b, "{\"type\":\"change\",\"timestamp\":%" PRId64, c->timestamp);
	record_add_optional(b, "model", c->model);
	record_add_optional(b, "title", c->title);
	add_known_usage(b, &c->usage);
	buf_adds(b, "}\n");
}

void record_add_rewind(struct buf *b, int64_t timestamp, struct span to)
{
	buf_addf(b, "{\"type\":\"rewind\",\"timestamp\":%" PRId64 ",\"to\":", timestamp);
	if (to.p)
		json_add_str(b, to);
	else
		buf_adds(b, "null");
	buf_adds(b, "}\n");
}

void record_add_gist(struct buf *b, const struct gist *g)
{
	buf_addf(b, "{\"type\":\"summary\",\"timestamp\":%" PRId64, g->timestamp);
	add_str(b, "upTo", g->up_to);
	add_str(b, "text", g->text);
	add_str(b, "model", g->model);
	add_known_usage(b, &g->usage);
	buf_adds(b, "}\n");
}
