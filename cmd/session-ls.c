/* mc-session-ls: lists sessions, the most recently active first. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "applet.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "base/utf8.h"
#include "store/index.h"
#include "tool.h"
#include "tty/neutral.h"
#include "tty/term.h"

enum { O_JSON = OPT_LONG, O_CWD, O_PROVIDER, O_MODEL, O_SINCE, O_BEFORE };

static const struct opt opts[] = {
	{ 'n', "max", "N", ARG_TEXT, "list at most N sessions" },
	{ 'q', "quiet", NULL, ARG_NONE, "print the ids only" },
	{ O_JSON, "json", NULL, ARG_NONE, "print one JSON object a line" },
	{ O_CWD, "cwd", "DIR", ARG_DIR, "only sessions that belong to this directory" },
	{ O_PROVIDER, "provider", "NAME", ARG_PROVIDER, "only sessions with this provider" },
	{ O_MODEL, "model", "NAME", ARG_MODEL, "only sessions with this model" },
	{ O_SINCE, "since", "WHEN", ARG_TEXT, "only sessions active since: 7d, 12h, 2026-11-21" },
	{ O_BEFORE, "before", "WHEN", ARG_TEXT, "only sessions not active since then" },
	{ 0 },
};

struct filter {
	long max; /* 0: all */
	bool quiet, json;
	struct buf cwd, provider, model; /* as JSON strings, to compare without decoding */
	int64_t since, before;
	unsigned fields; /* what of a record it takes to decide */
};

#define FILTER_INIT { 0, false, false, BUF_INIT, BUF_INIT, BUF_INIT, INT64_MIN, INT64_MAX, 0 }

static bool same(const struct buf *want, struct span value)
{
	return !want->n || (want->n == value.n && memcmp(want->p, value.p, value.n) == 0);
}

static bool passes(const struct filter *f, const struct index_record *r)
{
	return r->updated_at >= f->since && r->updated_at < f->before && same(&f->provider, r->provider) &&
	       same(&f->model, r->model) && same(&f->cwd, r->cwd);
}

/* ---- the command line ---- */

static void want(struct buf *to, const char *value)
{
	buf_clear(to);
	json_add_str(to, span_str(value));
}

static void want_dir(struct buf *to, const char *dir)
{
	char path[PATH_MAX];

	struct buf clean = BUF_INIT; /* as it is stored */

	utf8_add_clean(&clean, span_str(realpath(dir, path) ? path : dir)); /* it may be gone since */
	want(to, clean.p);
	buf_release(&clean);
}

static unsigned needed(const struct filter *f)
{
	return (f->since != INT64_MIN || f->before != INT64_MAX ? INDEX_UPDATED : 0u) |
	       (f->provider.n ? INDEX_PROVIDER : 0u) | (f->model.n ? INDEX_MODEL : 0u) |
	       (f->cwd.n ? INDEX_CWD : 0u);
}

static int read_options(const struct cli *c, struct filter *f, struct err *e)
{
	int64_t now = clock_now_ms();
	int r = 0;

	for (size_t i = 0; i < c->nopts && r == 0; i++) {
		const char *val = c->opts[i].val;

		switch (c->opts[i].id) {
		case 'n': r = cli_number(val, "--max", 1, LONG_MAX, &f->max, e); break;
		case 'q': f->quiet = true; break;
		case O_JSON: f->json = true; break;
		case O_CWD: want_dir(&f->cwd, val); break;
		case O_PROVIDER: want(&f->provider, val); break;
		case O_MODEL: want(&f->model, val); break;
		case O_SINCE: r = clock_parse(val, now, &f->since, e); break;
		case O_BEFORE: r = clock_parse(val, now, &f->before, e); break;
		}
	}
	f->fields = needed(f);
	if (r == 0 && (f->cwd.oom || f->provider.oom || f->model.oom))
		r = err_oom(e);
	if (r == 0 && f->quiet && f->json)
		r = err_set(e, ERR_USAGE, "--quiet and --json exclude each other");
	return r;
}

/* ---- the output ---- */

/* Collects spans of the mapped index and writes many with one call. */
struct batch {
	struct iovec v[1024];
	int n;
};

static int flush(struct batch *b)
{
	int r = b->n ? io_writev(STDOUT_FILENO, b->v, b->n) : 0;

	b->n = 0;
	return r;
}

static int put(struct batch *b, struct span s)
{
	b->v[b->n++] = (struct iovec){ (void *)s.p, s.n };
	return b->n == 1024 ? flush(b) : 0;
}

/* Where --json and -q end: the record's bytes, or its id, straight from the index. */
static int put_raw(struct batch *b, bool quiet, struct span line)
{
	struct span id;

	if (!quiet)
		return put(b, line);
	id.p = line.p + strlen("{\"id\":\"");
	id.n = (size_t)((const char *)memchr(id.p, '"', line.n) - id.p);
	return put(b, id) < 0 ? -1 : put(b, span_str("\n"));
}

struct columns {
	size_t window, id, model, preview; /* widths on a terminal */
	bool created; /* whether there is room for that column */
};

static void decoded(struct buf *to, struct span json, bool harmless)
{
	struct buf raw = BUF_INIT;

	json_scan_add_str(&raw, json);
	if (harmless)
		neutral_add_line(to, buf_span(&raw));
	else
		neutral_add_column(to, buf_span(&raw));
	to->oom |= raw.oom;
	buf_release(&raw);
}

static struct span title_or_query(const struct index_record *r)
{
	return r->title.n > 2 && r->title.p[0] == '"' ? r->title : r->first_query;
}

static void print_tabs(const struct index_record *r)
{
	char created[CLOCK_TEXT], updated[CLOCK_TEXT];
	struct buf b = BUF_INIT;

	clock_utc(created, r->created_at);
	clock_utc(updated, r->updated_at);
	buf_addf(&b, "%.*s\t%s\t%s\t%" PRId64 "\t", (int)r->id.n, r->id.p, created, updated,
	         r->exchange_count);
	decoded(&b, r->model, false);
	buf_addc(&b, '\t');
	decoded(&b, title_or_query(r), false);
	buf_addc(&b, '\n');
	print_buf(stdout, &b);
}

static void add_cell(struct buf *row, struct span text, size_t width)
{
	term_add_fit(row, text, width, true);
	buf_adds(row, "  ");
}

/* In a narrow window a line loses its end. */
static void print_fitted(const struct columns *c, const struct buf *row)
{
	struct buf b = BUF_INIT;

	b.oom = row->oom;
	term_add_fit(&b, buf_span(row), c->window, false);
	buf_addc(&b, '\n');
	print_buf(stdout, &b);
}

static void print_row(const struct columns *c, const struct index_record *r)
{
	char created[CLOCK_TEXT], updated[CLOCK_TEXT];
	struct buf b = BUF_INIT, model = BUF_INIT, preview = BUF_INIT;

	clock_local(created, r->created_at);
	clock_local(updated, r->updated_at);
	decoded(&model, r->model, true);
	decoded(&preview, title_or_query(r), true);
	add_cell(&b, r->id, c->id);
	if (c->created)
		buf_addf(&b, "%-16s  ", created);
	buf_addf(&b, "%-16s  %9" PRId64 "  ", updated, r->exchange_count);
	add_cell(&b, buf_span(&model), c->model);
	term_add_fit(&b, buf_span(&preview), c->preview, false);
	b.oom |= model.oom || preview.oom;
	print_fitted(c, &b);
	buf_release(&b);
	buf_release(&model);
	buf_release(&preview);
}

/* The two dates and the count take a fixed width, with two spaces between columns;
 * what they leave is shared out. A narrow window has no room for the older date. */
static struct columns lay_out(size_t id)
{
	size_t window = term_columns(STDOUT_FILENO), rest;
	struct columns c = { .window = window, .id = id, .created = window >= 90 };
	size_t fixed = (c.created ? 16 + 2 : 0) + 16 + 2 + 9 + 2 + 2 + 2;

	rest = window > fixed + id ? window - fixed - id : 0;
	c.model = rest / 3 < 20 ? rest / 3 : 20;
	c.preview = rest - c.model;
	return c;
}

static void print_header(const struct columns *c)
{
	struct buf b = BUF_INIT;

	add_cell(&b, span_str("ID"), c->id);
	if (c->created)
		buf_addf(&b, "%-16s  ", "CREATED");
	buf_addf(&b, "%-16s  %9s  ", "LAST ACTIVE", "EXCHANGES");
	add_cell(&b, span_str("MODEL"), c->model);
	term_add_fit(&b, span_str("TITLE OR FIRST PROMPT"), c->preview, false);
	print_fitted(c, &b);
	buf_release(&b);
}

/* ---- the three forms ---- */

static int list_raw(struct index_reader *r, const struct filter *f)
{
	struct index_record rec;
	struct batch b = { .n = 0 };
	bool terminal = at_terminal();
	struct span line;

	for (long n = 0; (!f->max || n < f->max) && index_next(r, &line);) {
		if (f->fields && !(index_record(line, f->fields, &rec) && passes(f, &rec)))
			continue;
		if (f->json && terminal)
			print_json(line);
		else if (put_raw(&b, f->quiet, line) < 0)
			return output_failed(errno);
		n++;
	}
	return flush(&b) < 0 ? output_failed(errno) : EXIT_DONE;
}

static int list_tabs(struct index_reader *r, const struct filter *f)
{
	struct index_record rec;
	struct span line;

	for (long n = 0; (!f->max || n < f->max) && index_next(r, &line);)
		if (index_record(line, INDEX_ALL, &rec) && passes(f, &rec)) {
			print_tabs(&rec);
			n++;
		}
	return EXIT_DONE;
}

/* A table is for reading: the column of ids is as wide as those of the first page. */
#define PAGE 512

static int list_table(struct index_reader *r, const struct filter *f)
{
	struct index_record page[PAGE];
	struct columns c = { 0 };
	struct span line;
	size_t n, width = 8;
	long shown = 0;

	do {
		for (n = 0; n < PAGE && (!f->max || shown < f->max) && index_next(r, &line);)
			if (index_record(line, INDEX_ALL, &page[n]) && passes(f, &page[n])) {
				width = !c.id && page[n].id.n > width ? page[n].id.n : width;
				n++;
				shown++;
			}
		if (n && !c.id) {
			c = lay_out(width);
			print_header(&c);
		}
		for (size_t i = 0; i < n; i++)
			print_row(&c, &page[i]);
	} while (n == PAGE);
	return EXIT_DONE;
}

static int list(const struct filter *f, struct err *e)
{
	struct index_reader r;
	struct tool t;
	int status;

	if (tool_open(&t, false, e) < 0 || index_open(&r, &t.store, !f->max, e) < 0) {
		status = fail(e);
	} else {
		status = f->json || f->quiet ? list_raw(&r, f)
		         : at_terminal()     ? list_table(&r, f)
		                             : list_tabs(&r, f);
		if (r.oom) {
			err_oom(e);
			status = fail(e);
		}
		index_close(&r);
	}
	tool_close(&t);
	return status;
}

static int run(const struct cli *c)
{
	struct filter f = FILTER_INIT;
	struct err e = ERR_INIT;
	int status;

	status = read_options(c, &f, &e) < 0 ? fail(&e) : list(&f, &e);
	buf_release(&f.cwd);
	buf_release(&f.provider);
	buf_release(&f.model);
	return status;
}

const struct applet applet_session_ls = {
	.name = "mc-session-ls",
	.summary = "list sessions, the most recently active first",
	.operands = "",
	.opts = opts,
	.run = run,
};
