/*
 * lib/store/record. The input is a line of a history.
 *
 * Properties: what is taken for a record is JSON by the letter and holds what
 * mc-session(5) says of its type: times and counts in their ranges, strings in UTF-8,
 * ids and digests that are some. Written again it is one line that parses to the same, and
 * is written the same a second time. What is refused has a reason.
 */
#include "store/record.h"

#include "base/json.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "store/id.h"

static void check_str(struct span s, const char *name)
{
	must(utf8_valid(s.p, s.n) == s.n, "%s is UTF-8", name);
}

static void check_count(int64_t n, const char *name)
{
	must(n >= -1 && n <= COUNT_MAX, "%s is %" PRId64, name, n);
}

static void check_attachments(const struct attachment_ref *a, size_t n)
{
	for (; n; n--, a++) {

		must(sha256_valid(a->sha256), "'%.*s'", (int)a->sha256.n, a->sha256.p);
		must(a->name.p && a->type.p, "what must be there");
		check_str(a->name, "name");
		check_str(a->type, "type");
		must(a->size >= 0 && a->size <= COUNT_MAX, "size is %" PRId64, a->size);
	}
}

static void check_time(int64_t ms)
{
	must(ms >= 0 && ms <= TIME_MAX, "a time of %" PRId64, ms);
}

static void check_usage(const struct usage *u)
{
	check_count(u->input, "inputTokens");
	check_count(u->output, "outputTokens");
	check_count(u->total, "totalTokens");
	check_count(u->reasoning, "reasoningTokens");
	check_count(u->cached, "cachedInputTokens");
	check_count(u->cache_write, "cacheWriteInputTokens");
	check_count(u->cost, "cost");
}

static void check_step(const struct step *s)
{
	must(s->exchange.p && s->text.p && s->model.p, "what must be there");
	check_count(s->n, "n");
	check_time(s->timestamp);
	check_count(s->duration, "duration");
	check_usage(&s->usage);
	check_str(s->text, "text");
	check_str(s->reasoning, "reasoning");
	for (size_t i = 0; i < s->ncalls; i++) {
		must(s->calls[i].id.p && s->calls[i].name.p && s->calls[i].arguments, "what a call must have");
		check_str(s->calls[i].id, "id");
		check_str(s->calls[i].name, "name");
	}
}

static void check_result(const struct result *r)
{
	must(r->exchange.p && r->call.p && r->output.p, "what must be there");
	check_count(r->n, "n");
	check_time(r->timestamp);
	must(r->status <= RESULT_INTERRUPTED, "status %d", (int)r->status);
	check_count(r->exit_status, "exitStatus");
	check_count(r->duration, "duration");
	check_str(r->output, "output");
	must(!r->artifact.p || sha256_valid(r->artifact), "artifact");
	check_attachments(r->attachments, r->nattachments);
}

static void check_values(const struct record *r)
{
	const struct exchange *x = &r->exchange;
	const struct session_head *h = &r->head;

	switch (r->type) {
	case RECORD_SESSION:
		check_time(h->created_at);
		must(id_valid(h->id.p, h->id.n), "'%.*s'", (int)h->id.n, h->id.p);
		must(h->provider.p && h->model.p, "what must be there");
		check_str(h->cwd, "cwd");
		check_str(h->provider, "provider");
		check_str(h->model, "model");
		check_str(h->title, "title");
		check_str(h->system, "system");
		break;
	case RECORD_EXCHANGE:
		check_time(x->timestamp);
		must(x->id.p && x->query.p && x->answer.p && x->model.p, "what must be there");
		must(x->status <= STATUS_INTERRUPTED, "status %d", (int)x->status);
		check_count(x->duration, "duration");
		check_count(x->left_out, "leftOut");
		check_count(x->steps, "steps");
		check_usage(&x->usage);
		check_str(x->parent, "parent");
		check_str(x->replaces, "replaces");
		check_str(x->id, "id");
		check_str(x->query, "query");
		check_str(x->answer, "answer");
		check_str(x->model, "model");
		check_str(x->finish_reason, "finishReason");
		check_str(x->error, "error");
		check_str(x->reasoning, "reasoning");
		check_attachments(x->attachments, x->nattachments);
		break;
	case RECORD_STEP: check_step(&r->step); break;
	case RECORD_RESULT: check_result(&r->result); break;
	case RECORD_CHANGE:
		check_time(r->change.timestamp);
		check_str(r->change.title, "title");
		break;
	case RECORD_REWIND:
		check_str(r->rewind.to, "to");
		break;
	case RECORD_SUMMARY:
		check_time(r->summary.timestamp);
		must(r->summary.up_to.p && r->summary.text.p && r->summary.model.p, "what must be there");
		check_str(r->summary.up_to, "upTo");
		check_str(r->summary.text, "text");
		check_str(r->summary.model, "model");
		check_usage(&r->summary.usage);
		break;
	case RECORD_OTHER:
		break;
	}
}

/* False for a record that no function writes. */
static bool write_record(struct buf *b, const struct record *r)
{
	switch (r->type) {
	case RECORD_SESSION: record_add_head(b, &r->head); break;
	case RECORD_EXCHANGE: record_add_exchange(b, &r->exchange); break;
	case RECORD_CHANGE: record_add_change(b, &r->change); break;
	case RECORD_STEP: record_add_step(b, &r->step); break;
	case RECORD_RESULT: record_add_result(b, &r->result); break;
	case RECORD_SUMMARY: record_add_summary(b, &r->summary); break;
	case RECORD_REWIND: record_add_rewind(b, &r->rewind); break;
	case RECORD_OTHER: return false;
	}
	must(!b->oom && b->n && b->p[b->n - 1] == '\n', "a record ends with a newline");
	must(memchr(b->p, '\n', b->n) == b->p + b->n - 1, "and has no other: %s", b->p);
	return true;
}

static void must_equal_attachments(const struct exchange *x, const struct exchange *y)
{
	must(x->nattachments == y->nattachments, "%zu and %zu files", x->nattachments, y->nattachments);
	for (size_t i = 0; i < x->nattachments; i++) {
		must_be_same(y->attachments[i].sha256, x->attachments[i].sha256, "sha256");
		must_be_same(y->attachments[i].name, x->attachments[i].name, "name");
		must_be_same(y->attachments[i].type, x->attachments[i].type, "type");
		must(x->attachments[i].size == y->attachments[i].size, "size");
	}
}

static void must_equal_steps(const struct step *x, const struct step *y)
{
	must_be_same(y->exchange, x->exchange, "exchange");
	must_be_same(y->text, x->text, "text");
	must(same_optional(x->reasoning, y->reasoning), "reasoning");
	must(x->n == y->n && x->timestamp == y->timestamp && x->duration == y->duration, "numbers");
	must(x->ncalls == y->ncalls, "%zu and %zu calls", x->ncalls, y->ncalls);
	for (size_t i = 0; i < x->ncalls; i++) {
		must_be_same(y->calls[i].id, x->calls[i].id, "a call's id");
		must_be_same(y->calls[i].name, x->calls[i].name, "a call's name");
		must(json_object_equal(x->calls[i].arguments, y->calls[i].arguments), "arguments");
	}
	must(json_object_equal(x->native, y->native), "native");
}

static void must_equal_results(const struct result *x, const struct result *y)
{
	must_be_same(y->exchange, x->exchange, "exchange");
	must_be_same(y->call, x->call, "call");
	must_be_same(y->output, x->output, "output");
	must(same_optional(x->artifact, y->artifact), "artifact");
	must(x->n == y->n && x->status == y->status && x->timestamp == y->timestamp &&
	     x->exit_status == y->exit_status && x->duration == y->duration &&
	     x->nattachments == y->nattachments, "numbers");
}

static void must_equal(const struct record *a, const struct record *b)
{
	const struct exchange *x = &a->exchange, *y = &b->exchange;

	must(a->type == b->type, "%d and %d", a->type, b->type);
	if (a->type == RECORD_SESSION) {
		must(a->head.created_at == b->head.created_at, "createdAt");
		must_be_same(b->head.id, a->head.id, "id");
		must_be_same(b->head.cwd, a->head.cwd, "cwd");
		must_be_same(b->head.provider, a->head.provider, "provider");
		must_be_same(b->head.model, a->head.model, "model");
		must(same_optional(a->head.title, b->head.title), "title");
		must(same_optional(a->head.system, b->head.system), "system");
		must(json_object_equal(a->head.metadata, b->head.metadata), "metadata");
	} else if (a->type == RECORD_EXCHANGE) {
		must(x->timestamp == y->timestamp && x->status == y->status, "timestamp and status");
		must(x->duration == y->duration && x->left_out == y->left_out, "duration and leftOut");
		must_be_same(y->id, x->id, "id");
		must_be_same(y->query, x->query, "query");
		must_be_same(y->answer, x->answer, "answer");
		must_be_same(y->model, x->model, "model");
		must(same_optional(x->finish_reason, y->finish_reason), "finishReason");
		must(same_optional(x->error, y->error), "error");
		must(same_optional(x->reasoning, y->reasoning), "reasoning");
		must(x->has_parent == y->has_parent && same_optional(x->parent, y->parent), "parent");
		must(same_optional(x->replaces, y->replaces) && x->steps == y->steps, "replaces and steps");
		must(json_object_equal(x->parameters, y->parameters), "parameters");
		must(json_object_equal(x->native, y->native), "native");
		must_equal_attachments(x, y);
		/* Counts of details only are no usage, and are written as null. */
		must(!usage_known(&x->usage) || memcmp(&x->usage, &y->usage, sizeof(x->usage)) == 0,
		     "usage");
	} else if (a->type == RECORD_STEP) {
		must_equal_steps(&a->step, &b->step);
	} else if (a->type == RECORD_RESULT) {
		must_equal_results(&a->result, &b->result);
	} else if (a->type == RECORD_REWIND) {
		must(a->rewind.has_from == b->rewind.has_from && a->rewind.merged == b->rewind.merged &&
		     same_optional(a->rewind.from, b->rewind.from) && same_optional(a->rewind.to, b->rewind.to),
		     "a rewind");
	} else if (a->type == RECORD_SUMMARY) {
		must(a->summary.timestamp == b->summary.timestamp, "timestamp");
		must_be_same(b->summary.up_to, a->summary.up_to, "upTo");
		must_be_same(b->summary.text, a->summary.text, "text");
		must_be_same(b->summary.model, a->summary.model, "model");
		must(memcmp(&a->summary.usage, &b->summary.usage, sizeof(a->summary.usage)) == 0, "usage");
	} else {
		must(a->change.timestamp == b->change.timestamp, "timestamp");
		must(same_optional(a->change.title, b->change.title), "title");
		must(same_optional(a->change.id, b->change.id), "id");
		must(json_object_equal(a->change.tags, b->change.tags), "tags");
		must(json_object_equal(a->change.metadata, b->change.metadata), "metadata");
	}
}

static void check_round_trip(const struct record *r)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct err e = ERR_INIT;
	struct record again;

	if (write_record(&once, r)) {
		must(record_parse(buf_span(&once), &again, &e) == 0, "%s: %s", e.msg, once.p);
		must_equal(r, &again);
		write_record(&twice, &again);
		must_be_same(buf_span(&twice), buf_span(&once), "written a second time");
		record_release(&again);
	}
	buf_release(&once);
	buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span line = exact((struct span){ (const char *)data, size });
	struct err e = ERR_INIT;
	struct record r;

	if (record_parse(line, &r, &e) == 0) {
		must(json_is_whole(line), "a record is JSON by the letter");
		drop(line); /* the record does not point into it */
		check_values(&r);
		check_round_trip(&r);
		record_release(&r);
	} else {
		must((e.kind == ERR_DAMAGED || e.kind == ERR_VERSION) && e.msg[0], "%s", e.msg);
		must(!r.json, "what is refused holds nothing");
		drop(line);
	}
	return 0;
}
