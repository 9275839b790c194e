#include "store/record.h"

#include <inttypes.h>
#include <json-c/json_object_iterator.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/sha256.h"
#include "store/id.h"

static const char *const status_names[] = { "complete", "error", "interrupted", NULL };
static const char *const result_names[] = { "ok", "error", "denied", "timeout", "interrupted", NULL };

const char *status_name(enum status s)
{
	return status_names[s];
}

const char *result_status_name(enum result_status s)
{
	return result_names[s];
}

bool usage_known(const struct usage *u)
{
	return u->input >= 0 || u->output >= 0 || u->total >= 0 || u->reasoning >= 0 || u->cached >= 0 ||
	       u->cache_write >= 0 || u->cost >= 0;
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
	add_known(&sum->cache_write, u->cache_write);
	add_known(&sum->cost, u->cost);
}

#define PER_DOLLAR 1000000000

int64_t usage_cost(double dollars)
{
	double n = dollars * PER_DOLLAR + 0.5;

	return dollars >= 0 && n < (double)COUNT_MAX ? (int64_t)n : -1;
}

void usage_add_cost(struct buf *b, int64_t cost)
{
	char part[16];
	size_t n;

	snprintf(part, sizeof(part), "%09d", (int)(cost % PER_DOLLAR));
	n = span_trim_end(span_str(part), "0").n;
	buf_addf(b, "%" PRId64 "%s%.*s", cost / PER_DOLLAR, n ? "." : "", (int)n, part);
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

int record_get_time(struct json_object *o, const char *key, int64_t *ms, struct err *e)
{
	int got = json_get_int(o, key, ms, e);

	/* Up to the year 9999, so that a time with a damaged digit is noticed. */
	if (got > 0 && (*ms < 0 || *ms > TIME_MAX))
		return err_set(e, ERR_DAMAGED, "'%s' is not a time in milliseconds", key);
	return got;
}

static int need_time(struct json_object *o, const char *key, int64_t *ms, struct err *e)
{
	return need(record_get_time(o, key, ms, e), key, e);
}

static int get_list(struct json_object *o, const char *key, struct json_object **list, struct err *e)
{
	*list = json_member(o, key);
	if (*list && !json_object_is_type(*list, json_type_array))
		return err_set(e, ERR_DAMAGED, "'%s' must be an array", key);
	return *list != NULL;
}

/* The tags of a session record: names. */
static int parse_tags(struct json_object *o, struct json_object **tags, struct err *e)
{
	int got = get_list(o, "tags", tags, e);

	for (size_t i = 0; got > 0 && i < json_object_array_length(*tags); i++)
		if (!json_object_is_type(json_object_array_get_idx(*tags, i), json_type_string))
			return err_set(e, ERR_DAMAGED, "'tags' must be strings");
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
	    parse_tags(o, &h->tags, e) < 0 || json_get_obj(o, "metadata", &h->metadata, e) < 0 ||
	    json_get_obj(o, "forkedFrom", &h->forked_from, e) < 0 ||
	    json_get_obj(o, "importedFrom", &h->imported_from, e) < 0)
		return -1;
	if (!id_valid(h->id.p, h->id.n))
		return err_set(e, ERR_DAMAGED, "'id' is not a session id");
	return 0;
}

/* The index of the word, or -1. */
static int parse_word(struct json_object *o, const char *key, const char *const *words,
                      const char *allowed, struct err *e)
{
	struct span s;

	if (need_str(o, key, &s, e) < 0)
		return -1;
	for (int i = 0; words[i]; i++)
		if (span_eq(s, words[i]))
			return i;
	return err_set(e, ERR_DAMAGED, "'%s' must be %s", key, allowed);
}

static int parse_status(struct json_object *o, enum status *status, struct err *e)
{
	int i = parse_word(o, "status", status_names, "complete, error or interrupted", e);

	*status = i < 0 ? STATUS_ERROR : (enum status)i;
	return i;
}

static int get_count(struct json_object *o, const char *key, int64_t *n, struct err *e)
{
	int got = json_get_int(o, key, n, e);

	if (got > 0 && (*n < 0 || *n > COUNT_MAX))
		return err_set(e, ERR_DAMAGED, "'%s' is not a count", key);
	return got;
}

static int get_cost(struct json_object *o, int64_t *cost, struct err *e)
{
	struct json_object *v = json_member(o, "cost");

	if (!v)
		return 0;
	if (json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double))
		*cost = usage_cost(json_object_get_double(v));
	return *cost < 0 ? err_set(e, ERR_DAMAGED, "'cost' is not an amount in dollars") : 0;
}

int record_parse_usage(struct json_object *record, const char *key, struct usage *u, struct err *e)
{
	struct json_object *o = NULL;
	int got = json_get_obj(record, key, &o, e);

	if (got <= 0)
		return got;
	if (get_count(o, "inputTokens", &u->input, e) < 0 ||
	    get_count(o, "outputTokens", &u->output, e) < 0 ||
	    get_count(o, "totalTokens", &u->total, e) < 0 ||
	    get_count(o, "reasoningTokens", &u->reasoning, e) < 0 ||
	    get_count(o, "cachedInputTokens", &u->cached, e) < 0 ||
	    get_count(o, "cacheWriteInputTokens", &u->cache_write, e) < 0 || get_cost(o, &u->cost, e) < 0)
		return -1;
	return 0;
}

static int parse_usage(struct json_object *record, struct usage *u, struct err *e)
{
	return record_parse_usage(record, "tokenUsage", u, e);
}

static int parse_attachment(struct json_object *o, struct attachment_ref *a, struct err *e)
{
	if (!json_object_is_type(o, json_type_object))
		return err_set(e, ERR_DAMAGED, "not an object");
	if (need_str(o, "sha256", &a->sha256, e) < 0 || need_str(o, "name", &a->name, e) < 0 ||
	    need_str(o, "type", &a->type, e) < 0 ||
	    need(get_count(o, "size", &a->size, e), "size", e) < 0)
		return -1;
	if (!sha256_valid(a->sha256)) /* it is used in a path */
		return err_set(e, ERR_DAMAGED, "'sha256' is not a digest");
	return 0;
}

static void free_list(struct json_object *owner, void *list)
{
	(void)owner;
	free(list);
}

/* Allocates structures for the elements of a JSON array. The JSON array owns them, as it owns the strings, so
 * a record can be copied. */
static void *make_list(struct json_object *list, size_t size, struct err *e)
{
	void *v = calloc(json_object_array_length(list) + 1, size);

	if (v)
		json_object_set_userdata(list, v, free_list);
	else
		err_oom(e);
	return v;
}

static int parse_attachments(struct json_object *o, const struct attachment_ref **out, size_t *n,
                             struct err *e)
{
	struct json_object *list;
	struct attachment_ref *refs;
	int got = get_list(o, "attachments", &list, e);

	if (got <= 0)
		return got;
	refs = make_list(list, sizeof(*refs), e);
	if (!refs)
		return -1;
	*n = json_object_array_length(list);
	for (size_t i = 0; i < *n; i++)
		if (parse_attachment(json_object_array_get_idx(list, i), &refs[i], e) < 0)
			return e->kind == ERR_DAMAGED ? err_prefix(e, "'attachments' %zu", i + 1) : -1;
	*out = refs;
	return 0;
}

int record_parse_attachments(struct json_object *o, struct exchange *x, struct err *e)
{
	return parse_attachments(o, &x->attachments, &x->nattachments, e);
}

/* Reads the id of an exchange; null means none. True if the member exists. */
static int get_exchange(struct json_object *o, const char *key, struct span *id, bool *there,
                        struct err *e)
{
	*there = json_object_object_get_ex(o, key, NULL);
	return json_get_str(o, key, id, e);
}

static int parse_exchange(struct json_object *o, struct exchange *x, struct err *e)
{
	x->duration = -1;
	x->usage = (struct usage)USAGE_NONE;
	if (need_str(o, "id", &x->id, e) < 0 ||
	    get_exchange(o, "parent", &x->parent, &x->has_parent, e) < 0 ||
	    json_get_str(o, "replaces", &x->replaces, e) < 0 ||
	    need_time(o, "timestamp", &x->timestamp, e) < 0 ||
	    need_str(o, "query", &x->query, e) < 0 || need_str(o, "answer", &x->answer, e) < 0 ||
	    need_str(o, "model", &x->model, e) < 0 || parse_status(o, &x->status, e) < 0 ||
	    get_count(o, "steps", &x->steps, e) < 0 ||
	    get_count(o, "duration", &x->duration, e) < 0 || parse_usage(o, &x->usage, e) < 0 ||
	    get_count(o, "leftOut", &x->left_out, e) < 0 ||
	    json_get_str(o, "finishReason", &x->finish_reason, e) < 0 ||
	    json_get_str(o, "error", &x->error, e) < 0 ||
	    json_get_str(o, "reasoning", &x->reasoning, e) < 0 ||
	    record_parse_attachments(o, x, e) < 0 ||
	    json_get_obj(o, "parameters", &x->parameters, e) < 0 ||
	    json_get_obj(o, "native", &x->native, e) < 0)
		return -1;
	return 0;
}

static int parse_call(struct json_object *o, struct tool_call *c, struct err *e)
{
	if (!json_object_is_type(o, json_type_object))
		return err_set(e, ERR_DAMAGED, "not an object");
	if (need_str(o, "id", &c->id, e) < 0 || need_str(o, "name", &c->name, e) < 0 ||
	    need(json_get_obj(o, "arguments", &c->arguments, e), "arguments", e) < 0)
		return -1;
	return 0;
}

static int parse_calls(struct json_object *o, struct step *s, struct err *e)
{
	struct json_object *list;
	struct tool_call *calls;

	if (need(get_list(o, "calls", &list, e), "calls", e) < 0)
		return -1;
	calls = make_list(list, sizeof(*calls), e);
	if (!calls)
		return -1;
	s->ncalls = json_object_array_length(list);
	for (size_t i = 0; i < s->ncalls; i++)
		if (parse_call(json_object_array_get_idx(list, i), &calls[i], e) < 0)
			return e->kind == ERR_DAMAGED ? err_prefix(e, "'calls' %zu", i + 1) : -1;
	s->calls = calls;
	return 0;
}

static int parse_step(struct json_object *o, struct step *s, struct err *e)
{
	s->duration = -1;
	s->usage = (struct usage)USAGE_NONE;
	if (need_str(o, "exchange", &s->exchange, e) < 0 || need(get_count(o, "n", &s->n, e), "n", e) < 0 ||
	    need_time(o, "timestamp", &s->timestamp, e) < 0 || need_str(o, "text", &s->text, e) < 0 ||
	    json_get_str(o, "reasoning", &s->reasoning, e) < 0 || parse_calls(o, s, e) < 0 ||
	    need_str(o, "model", &s->model, e) < 0 || get_count(o, "duration", &s->duration, e) < 0 ||
	    parse_usage(o, &s->usage, e) < 0 || json_get_obj(o, "native", &s->native, e) < 0)
		return -1;
	return 0;
}

static int parse_artifact(struct json_object *o, struct span *sha256, struct err *e)
{
	int got = json_get_str(o, "artifact", sha256, e);

	if (got > 0 && !sha256_valid(*sha256)) /* it is used in a path */
		return err_set(e, ERR_DAMAGED, "'artifact' is not a digest");
	return got;
}

static int parse_result(struct json_object *o, struct result *r, struct err *e)
{
	int status;

	r->exit_status = r->duration = -1;
	if (need_str(o, "exchange", &r->exchange, e) < 0 || need(get_count(o, "n", &r->n, e), "n", e) < 0 ||
	    need_str(o, "call", &r->call, e) < 0 || need_time(o, "timestamp", &r->timestamp, e) < 0 ||
	    (status = parse_word(o, "status", result_names, "ok, error, denied, timeout or interrupted",
	                         e)) < 0 ||
	    get_count(o, "exitStatus", &r->exit_status, e) < 0 ||
	    get_count(o, "duration", &r->duration, e) < 0 || need_str(o, "output", &r->output, e) < 0 ||
	    parse_artifact(o, &r->artifact, e) < 0 ||
	    parse_attachments(o, &r->attachments, &r->nattachments, e) < 0)
		return -1;
	r->status = (enum result_status)status;
	return 0;
}

static int check_booleans(struct json_object *o, const char *key, struct err *e)
{
	struct json_object_iterator at = json_object_iter_begin(o), last = json_object_iter_end(o);

	for (; !json_object_iter_equal(&at, &last); json_object_iter_next(&at))
		if (!json_object_is_type(json_object_iter_peek_value(&at), json_type_boolean))
			return err_set(e, ERR_DAMAGED, "'%s' must have true or false for each name", key);
	return 0;
}

static int parse_change(struct json_object *o, struct change *c, struct err *e)
{
	c->usage = (struct usage)USAGE_NONE;
	if (json_get_str(o, "id", &c->id, e) < 0 || need_time(o, "timestamp", &c->timestamp, e) < 0 ||
	    json_get_str(o, "title", &c->title, e) < 0 || json_get_obj(o, "tags", &c->tags, e) < 0 ||
	    (c->tags && check_booleans(c->tags, "tags", e) < 0) ||
	    json_get_obj(o, "metadata", &c->metadata, e) < 0)
		return -1;
	return parse_usage(o, &c->usage, e);
}

/* Absent or null: false. */
static int get_bool(struct json_object *o, const char *key, bool *value, struct err *e)
{
	struct json_object *v = json_member(o, key);

	if (v && !json_object_is_type(v, json_type_boolean))
		return err_set(e, ERR_DAMAGED, "'%s' must be true or false", key);
	*value = json_object_get_boolean(v);
	return 0;
}

static int parse_rewind(struct json_object *o, struct rewind *r, struct err *e)
{
	bool there;

	if (need_time(o, "timestamp", &r->timestamp, e) < 0 ||
	    get_exchange(o, "from", &r->from, &r->has_from, e) < 0 ||
	    get_exchange(o, "to", &r->to, &there, e) < 0)
		return -1;
	if (!there)
		return err_set(e, ERR_DAMAGED, "'to' is missing");
	return get_bool(o, "merged", &r->merged, e);
}

static int parse_summary(struct json_object *o, struct summary *s, struct err *e)
{
	s->usage = (struct usage)USAGE_NONE;
	if (json_get_str(o, "id", &s->id, e) < 0 || need_time(o, "timestamp", &s->timestamp, e) < 0 ||
	    need_str(o, "upTo", &s->up_to, e) < 0 ||
	    need_str(o, "text", &s->text, e) < 0 || need_str(o, "model", &s->model, e) < 0)
		return -1;
	return parse_usage(o, &s->usage, e);
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
	if (span_eq(type, "step")) {
		r->type = RECORD_STEP;
		return parse_step(r->json, &r->step, e);
	}
	if (span_eq(type, "result")) {
		r->type = RECORD_RESULT;
		return parse_result(r->json, &r->result, e);
	}
	if (span_eq(type, "change")) {
		r->type = RECORD_CHANGE;
		return parse_change(r->json, &r->change, e);
	}
	if (span_eq(type, "summary")) {
		r->type = RECORD_SUMMARY;
		return parse_summary(r->json, &r->summary, e);
	}
	if (span_eq(type, "rewind")) {
		r->type = RECORD_REWIND;
		return parse_rewind(r->json, &r->rewind, e);
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

/* A record and its type. */
static void begin_record(struct buf *b, const char *type)
{
	json_open(b, '{');
	json_put_word(b, "type", type);
}

static void end_record(struct buf *b)
{
	buf_adds(b, "}\n");
}

void record_add_head(struct buf *b, const struct session_head *h)
{
	begin_record(b, "session");
	json_put_int(b, "version", RECORD_VERSION);
	json_put_text(b, "id", h->id);
	json_put_int(b, "createdAt", h->created_at);
	json_put_text(b, "cwd", h->cwd);
	json_put_text(b, "provider", h->provider);
	json_put_text(b, "model", h->model);
	json_put_optional(b, "title", h->title);
	json_put_optional(b, "system", h->system);
	json_put_value(b, "tags", h->tags);
	json_put_value(b, "metadata", h->metadata);
	json_put_value(b, "forkedFrom", h->forked_from);
	json_put_value(b, "importedFrom", h->imported_from);
	end_record(b);
}

static void add_tokens(struct buf *b, const char *key, int64_t n)
{
	if (n >= 0)
		json_put_int(b, key, n);
}

void record_add_usage(struct buf *b, const struct usage *u)
{
	if (!usage_known(u)) {
		buf_adds(b, "null");
		return;
	}
	json_open(b, '{');
	add_tokens(b, "inputTokens", u->input);
	add_tokens(b, "outputTokens", u->output);
	add_tokens(b, "totalTokens", u->total);
	add_tokens(b, "reasoningTokens", u->reasoning);
	add_tokens(b, "cachedInputTokens", u->cached);
	add_tokens(b, "cacheWriteInputTokens", u->cache_write);
	if (u->cost >= 0) {
		json_key(b, "cost");
		usage_add_cost(b, u->cost);
	}
	json_close(b, '}');
}

void record_add_attachments(struct buf *b, const struct attachment_ref *a, size_t n)
{
	if (!n)
		return;
	json_put_open(b, "attachments", '[');
	for (size_t i = 0; i < n; i++) {
		json_open(b, '{');
		json_put_text(b, "sha256", a[i].sha256);
		json_put_text(b, "name", a[i].name);
		json_put_text(b, "type", a[i].type);
		json_put_int(b, "size", a[i].size);
		json_close(b, '}');
	}
	json_close(b, ']');
}

#define LARGE 1048576

static void add_large(struct buf *b, const char *key, struct span s, struct record_gaps *gaps)
{
	if (!gaps || s.n < LARGE) {
		json_put_text(b, key, s);
		return;
	}
	json_put_open(b, key, '"');
	gaps->list[gaps->n++] = (struct json_gap){ b->n, s };
	json_close(b, '"');
}

static void add_duration(struct buf *b, int64_t ms)
{
	if (ms >= 0)
		json_put_int(b, "duration", ms);
	else
		json_put_null(b, "duration");
}

static void add_usage(struct buf *b, const struct usage *u)
{
	json_key(b, "tokenUsage");
	record_add_usage(b, u);
}

static void add_exchange(struct buf *b, const struct exchange *x, struct record_gaps *gaps)
{
	json_put_word(b, "type", "exchange");
	json_put_text(b, "id", x->id);
	if (x->has_parent)
		json_put_str(b, "parent", x->parent);
	json_put_optional(b, "replaces", x->replaces);
	json_put_int(b, "timestamp", x->timestamp);
	add_large(b, "query", x->query, gaps);
	add_large(b, "answer", x->answer, gaps);
	json_put_null(b, "summary");
	json_put_text(b, "model", x->model);
	json_put_word(b, "status", status_name(x->status));
	if (x->steps)
		json_put_int(b, "steps", x->steps);
	add_duration(b, x->duration);
	add_usage(b, &x->usage);
	json_put_optional(b, "finishReason", x->finish_reason);
	json_put_optional(b, "error", x->error);
	if (x->reasoning.p)
		add_large(b, "reasoning", x->reasoning, gaps);
	record_add_attachments(b, x->attachments, x->nattachments);
	json_put_value(b, "parameters", x->parameters);
	if (x->left_out)
		json_put_int(b, "leftOut", x->left_out);
	json_put_value(b, "native", x->native);
}

void record_add_exchange_members(struct buf *b, const struct exchange *x)
{
	add_exchange(b, x, NULL);
}

void record_add_exchange_gaps(struct buf *b, const struct exchange *x, struct record_gaps *gaps)
{
	gaps->n = 0;
	json_open(b, '{');
	add_exchange(b, x, gaps);
	end_record(b);
}

void record_add_exchange(struct buf *b, const struct exchange *x)
{
	json_open(b, '{');
	add_exchange(b, x, NULL);
	end_record(b);
}

void record_add_step(struct buf *b, const struct step *s)
{
	begin_record(b, "step");
	json_put_text(b, "exchange", s->exchange);
	json_put_int(b, "n", s->n);
	json_put_int(b, "timestamp", s->timestamp);
	json_put_text(b, "text", s->text);
	json_put_optional(b, "reasoning", s->reasoning);
	json_put_open(b, "calls", '[');
	for (size_t i = 0; i < s->ncalls; i++) {
		json_open(b, '{');
		json_put_text(b, "id", s->calls[i].id);
		json_put_text(b, "name", s->calls[i].name);
		json_put_value(b, "arguments", s->calls[i].arguments);
		json_close(b, '}');
	}
	json_close(b, ']');
	json_put_text(b, "model", s->model);
	add_duration(b, s->duration);
	add_usage(b, &s->usage);
	json_put_value(b, "native", s->native);
	end_record(b);
}

void record_add_result(struct buf *b, const struct result *r)
{
	begin_record(b, "result");
	json_put_text(b, "exchange", r->exchange);
	json_put_int(b, "n", r->n);
	json_put_text(b, "call", r->call);
	json_put_int(b, "timestamp", r->timestamp);
	json_put_word(b, "status", result_status_name(r->status));
	if (r->exit_status >= 0)
		json_put_int(b, "exitStatus", r->exit_status);
	add_duration(b, r->duration);
	json_put_text(b, "output", r->output);
	record_add_attachments(b, r->attachments, r->nattachments);
	json_put_optional(b, "artifact", r->artifact);
	end_record(b);
}

void record_add_change(struct buf *b, const struct change *c)
{
	begin_record(b, "change");
	json_put_optional(b, "id", c->id);
	json_put_int(b, "timestamp", c->timestamp);
	json_put_optional(b, "title", c->title);
	json_put_value(b, "tags", c->tags);
	json_put_value(b, "metadata", c->metadata);
	if (usage_known(&c->usage))
		add_usage(b, &c->usage);
	end_record(b);
}

void record_add_summary(struct buf *b, const struct summary *s)
{
	begin_record(b, "summary");
	json_put_optional(b, "id", s->id);
	json_put_int(b, "timestamp", s->timestamp);
	json_put_text(b, "upTo", s->up_to);
	json_put_text(b, "text", s->text);
	json_put_text(b, "model", s->model);
	if (usage_known(&s->usage))
		add_usage(b, &s->usage);
	end_record(b);
}

void record_add_rewind(struct buf *b, const struct rewind *r)
{
	begin_record(b, "rewind");
	json_put_int(b, "timestamp", r->timestamp);
	if (r->has_from)
		json_put_str(b, "from", r->from);
	json_put_str(b, "to", r->to);
	if (r->merged)
		json_put_bool(b, "merged", true);
	end_record(b);
}
