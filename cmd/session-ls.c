/* mc-session-ls: lists sessions, the most recently active first. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "applet.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/json.h"
#include "base/utf8.h"
#include "store/index.h"
#include "store/session.h"
#include "store/spool.h"
#include "tool.h"
#include "tty/filter.h"
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

struct criteria {
	long max; /* 0: all */
	bool quiet, json;
	struct buf cwd, provider, model; /* as JSON strings, to compare without decoding */
	int64_t since, before;
	struct filter words;
	unsigned fields; /* what of a record it takes to decide */
};

#define CRITERIA_INIT                                                                              \
	{ 0, false, false, BUF_INIT, BUF_INIT, BUF_INIT, INT64_MIN, INT64_MAX, FILTER_INIT, 0 }

struct listing {
	const struct criteria *criteria;
	const struct store *store;
	struct index_reader index;
	long n;            /* sessions that were listed */
	struct buf text;   /* of one record, to look for the words in */
	struct buf *fresh; /* owned; records made from histories, which replace stale ones */
	size_t nfresh, fresh_cap;
	int status;        /* of a session that was left out */
	struct err e;      /* of memory: the list ends early */
};

/* ---- which sessions ---- */

static bool same(const struct buf *want, struct span value)
{
	return !want->n || (want->n == value.n && memcmp(want->p, value.p, value.n) == 0);
}

static void add_folded(struct buf *text, struct span json)
{
	struct buf raw = BUF_INIT;

	if (json.p[0] == '"' && !memchr(json.p, '\\', json.n)) {
		filter_fold(text, (struct span){ json.p + 1, json.n - 2 });
	} else {
		json_scan_add_str(&raw, json);
		filter_fold(text, buf_span(&raw));
	}
	buf_addc(text, '\n');
	text->oom |= raw.oom;
	buf_release(&raw);
}

/* What a person would know the session by. */
static bool has_words(struct listing *l, const struct index_record *r)
{
	if (!l->criteria->words.n)
		return true;
	buf_clear(&l->text);
	filter_fold(&l->text, r->id);
	buf_addc(&l->text, '\n');
	add_folded(&l->text, r->title);
	add_folded(&l->text, r->first_query);
	add_folded(&l->text, r->last_query);
	return buf_check(&l->text, &l->e) == 0 && filter_fit(&l->criteria->words, buf_span(&l->text));
}

static bool passes(struct listing *l, const struct index_record *r)
{
	const struct criteria *c = l->criteria;

	return r->updated_at >= c->since && r->updated_at < c->before && same(&c->provider, r->provider) &&
	       same(&c->model, r->model) && same(&c->cwd, r->cwd) && has_words(l, r);
}

/* Replaces the record by what the history says. */
static int read_history(struct listing *l, const char *id, struct span *line, struct err *e)
{
	struct buf *v = array_room(l->fresh, l->nfresh, &l->fresh_cap, sizeof(*v), e), b = BUF_INIT;
	struct session x = SESSION_INIT;
	int r;

	if (!v)
		return -1;
	l->fresh = v;
	x.conversation.lean = true;
	r = session_read(&x, l->store, id, NULL, e);
	if (r == 0) {
		index_add_record(&b, id, &x.conversation.info);
		r = buf_check(&b, e);
	}
	session_release(&x);
	v[l->nfresh++] = b;
	*line = buf_span(&b);
	return r;
}

/* The end of the second in which the file was last written, in ms; -1 where there is none,
 * INT64_MAX where that cannot be seen. */
static int64_t written_at(const struct listing *l, const char *id, const char *name, int64_t *size)
{
	char path[ID_SIZE + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", id, name);
	if (fstatat(l->store->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR ? -1 : INT64_MAX;
	*size = (int64_t)st.st_size;
	return (int64_t)st.st_mtime * 1000 + 999;
}

/*
 * People delete what --before lists, so the index alone is not enough: a session whose history
 * has another size than its record says, or was written since, is judged by its history. A session
 * in which a turn has begun since counts as active; a session that cannot be read is left out.
 */
static bool is_still_old(struct listing *l, struct span *line, struct index_record *r)
{
	int64_t size = 0, ignored, written;
	struct err e = ERR_INIT;
	char id[ID_SIZE];

	snprintf(id, sizeof(id), "%.*s", (int)r->id.n, r->id.p);
	written = written_at(l, id, HISTORY_FILE, &size);
	if (written < 0) /* there is nothing to lose */
		return true;
	if (written_at(l, id, SPOOL_FILE, &ignored) >= l->criteria->before)
		return false;
	if (size == r->history_bytes && written < l->criteria->before)
		return true;
	if (read_history(l, id, line, &e) < 0) {
		if (e.kind == ERR_NOT_FOUND)
			return false;
		err_prefix(&e, "session '%s' is left out of the list", id);
		l->status = fail(&e);
		return false;
	}
	return index_record(*line, l->criteria->fields | INDEX_BYTES, r) && passes(l, r);
}

/* The next one to list, and what the criteria take of its record. */
static bool next(struct listing *l, struct span *line, struct index_record *r)
{
	const struct criteria *c = l->criteria;

	while ((!c->max || l->n < c->max) && l->e.kind == ERR_NONE && index_next(&l->index, line)) {
		if (c->fields && !index_record(*line, c->fields, r)) {
			index_reject(&l->index, *line);
		} else if (!c->fields ||
		           (passes(l, r) && (c->before == INT64_MAX || is_still_old(l, line, r)))) {
			l->n++;
			return true;
		}
	}
	return false;
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

static unsigned needed(const struct criteria *c)
{
	if (!c->quiet && !c->json)
		return INDEX_ALL | (c->before != INT64_MAX ? INDEX_BYTES : 0u);
	return (c->since != INT64_MIN ? INDEX_UPDATED : 0u) |
	       (c->before != INT64_MAX ? INDEX_UPDATED | INDEX_BYTES : 0u) |
	       (c->provider.n ? INDEX_PROVIDER : 0u) | (c->model.n ? INDEX_MODEL : 0u) |
	       (c->cwd.n ? INDEX_CWD : 0u) |
	       (c->words.n ? INDEX_TITLE | INDEX_FIRST_QUERY | INDEX_LAST_QUERY : 0u);
}

/* All of them, in upper or lower case, must be in a session's record. */
static int read_words(const struct cli *cli, struct criteria *c, struct err *e)
{
	struct buf all = BUF_INIT;
	int r;

	for (size_t i = 0; i < cli->noperands; i++) {
		buf_adds(&all, cli->operands[i]);
		buf_addc(&all, ' ');
	}
	for (size_t i = 0; i < all.n; i++)
		if ((unsigned char)all.p[i] >= 0x80) { /* only then it takes a locale to fold them */
			setlocale(LC_CTYPE, "C.UTF-8");
			break;
		}
	filter_set(&c->words, buf_span(&all));
	r = all.oom || c->words.text.oom ? err_oom(e) : 0;
	buf_release(&all);
	return r;
}

static int read_options(const struct cli *cli, struct criteria *c, struct err *e)
{
	int64_t now = clock_now_ms();
	int r = 0;

	for (size_t i = 0; i < cli->nopts && r == 0; i++) {
		const char *val = cli->opts[i].val;

		switch (cli->opts[i].id) {
		case 'n': r = cli_number(val, "--max", 1, LONG_MAX, &c->max, e); break;
		case 'q': c->quiet = true; break;
		case O_JSON: c->json = true; break;
		case O_CWD: want_dir(&c->cwd, val); break;
		case O_PROVIDER: want(&c->provider, val); break;
		case O_MODEL: want(&c->model, val); break;
		case O_SINCE: r = clock_parse(val, now, &c->since, e); break;
		case O_BEFORE: r = clock_parse(val, now, &c->before, e); break;
		}
	}
	if (r == 0 && (c->cwd.oom || c->provider.oom || c->model.oom))
		r = err_oom(e);
	if (r == 0 && c->quiet && c->json)
		r = err_set(e, ERR_USAGE, "--quiet and --json exclude each other");
	if (r == 0 && cli->noperands)
		r = read_words(cli, c, e);
	c->fields = needed(c);
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

#define DATE 10      /* 2026-11-21 */
#define MOMENT 16    /* 2026-11-21 09:55 */
#define COUNT 9
#define MODEL_MIN 8  /* of less, nothing can be made out */
#define MODEL_MAX 20

/* Widths on a terminal; 0: the column is left out. */
struct columns {
	size_t window, id, created, active, count, model, preview;
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
	if (!width)
		return;
	term_add_fit(row, text, width, true);
	buf_adds(row, "  ");
}

/* In a narrow window a line loses its end. */
static void print_cells(const struct columns *c, const struct span *cells, struct span preview,
                        bool oom)
{
	const size_t widths[] = { c->id, c->created, c->active, c->count, c->model };
	struct buf row = BUF_INIT, b = BUF_INIT;

	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++)
		add_cell(&row, cells[i], widths[i]);
	term_add_fit(&row, preview, c->preview, false);
	term_add_fit(&b, buf_span(&row), c->window, false);
	buf_addc(&b, '\n');
	b.oom |= row.oom | oom;
	buf_release(&row);
	print_buf(stdout, &b);
}

static void print_row(const struct columns *c, const struct index_record *r)
{
	char created[CLOCK_TEXT], updated[CLOCK_TEXT], count[24];
	struct buf model = BUF_INIT, preview = BUF_INIT;

	clock_local(created, r->created_at);
	clock_local(updated, r->updated_at);
	snprintf(count, sizeof(count), "%9" PRId64, r->exchange_count);
	decoded(&model, r->model, true);
	decoded(&preview, title_or_query(r), true);
	print_cells(c, (struct span[]){ r->id, span_str(created), { updated, c->active },
	                                span_str(count), buf_span(&model) },
	            buf_span(&preview), model.oom | preview.oom);
	buf_release(&model);
	buf_release(&preview);
}

static void print_header(const struct columns *c)
{
	struct span active = span_str(c->active < MOMENT ? "ACTIVE" : "LAST ACTIVE");

	print_cells(c, (struct span[]){ span_str("ID"), span_str("CREATED"), active,
	                                span_str("EXCHANGES"), span_str("MODEL") },
	            span_str("TITLE OR FIRST PROMPT"), false);
}

/* Takes `width` and two blanks from `rest` for a column, if that leaves at least `least`. */
static size_t grant(size_t *rest, size_t width, size_t least)
{
	if (*rest < width + 2 + least)
		return 0;
	*rest -= width + 2;
	return width;
}

/* People look for titles: these have two fifths of the window, and the other columns what is left,
 * the most useful ones first. */
static struct columns lay_out(size_t id, size_t model)
{
	size_t window = term_columns(STDOUT_FILENO), least = window * 2 / 5, longest = window / 3;
	struct columns c = { .window = window };
	size_t rest;

	longest = longest < MODEL_MAX ? MODEL_MAX : longest;
	c.id = id < longest ? id : longest;
	rest = window > c.id + 2 ? window - c.id - 2 : 0;
	c.active = grant(&rest, MOMENT, least);
	if (!c.active)
		c.active = grant(&rest, DATE, least);
	model = model < MODEL_MAX ? model : MODEL_MAX;
	if (rest > least + 2 && rest - least - 2 < model && rest - least - 2 >= MODEL_MIN)
		model = rest - least - 2;
	c.model = grant(&rest, model, least);
	c.count = grant(&rest, COUNT, least);
	c.created = grant(&rest, MOMENT, least);
	c.preview = rest;
	return c;
}

/* ---- the three forms ---- */

static int list_raw(struct listing *l)
{
	struct index_record r;
	struct batch b = { .n = 0 };
	bool terminal = at_terminal();
	struct span line;

	while (next(l, &line, &r)) {
		if (l->criteria->json && terminal)
			print_json(line);
		else if (put_raw(&b, l->criteria->quiet, line) < 0)
			return output_failed(errno);
	}
	return flush(&b) < 0 ? output_failed(errno) : EXIT_DONE;
}

static int list_tabs(struct listing *l)
{
	struct index_record r;
	struct span line;

	while (next(l, &line, &r))
		print_tabs(&r);
	return EXIT_DONE;
}

/* A table is for reading: the columns are as wide as the first page needs them. */
#define PAGE 512

static size_t width_of_model(const struct index_record *r)
{
	struct buf b = BUF_INIT;
	size_t width;

	decoded(&b, r->model, true);
	width = term_width(buf_span(&b));
	buf_release(&b);
	return width;
}

static int list_table(struct listing *l)
{
	struct index_record page[PAGE];
	struct columns c = { 0 };
	size_t n, id = 8, model = strlen("MODEL");
	struct span line;

	do {
		for (n = 0; n < PAGE && next(l, &line, &page[n]); n++)
			if (!c.id) {
				size_t width = width_of_model(&page[n]);

				id = page[n].id.n > id ? page[n].id.n : id;
				model = width > model ? width : model;
			}
		if (n && !c.id) {
			c = lay_out(id, model);
			print_header(&c);
		}
		for (size_t i = 0; i < n; i++)
			print_row(&c, &page[i]);
	} while (n == PAGE);
	return EXIT_DONE;
}

static int list(const struct criteria *c, struct err *e)
{
	struct tool t;
	struct listing l = { .criteria = c, .store = &t.store, .text = BUF_INIT };
	int status;

	if (tool_open(&t, false, e) < 0 || index_open(&l.index, &t.store, !c->max, e) < 0) {
		status = fail(e);
	} else {
		status = c->json || c->quiet ? list_raw(&l) : at_terminal() ? list_table(&l) : list_tabs(&l);
		if (l.index.oom)
			err_oom(&l.e);
		if (l.e.kind != ERR_NONE)
			status = fail(&l.e);
		index_close(&l.index);
	}
	for (size_t i = 0; i < l.nfresh; i++)
		buf_release(&l.fresh[i]);
	free(l.fresh);
	buf_release(&l.text);
	tool_close(&t);
	return status == EXIT_DONE ? l.status : status;
}

static int run(const struct cli *cli)
{
	struct criteria c = CRITERIA_INIT;
	struct err e = ERR_INIT;
	int status;

	status = read_options(cli, &c, &e) < 0 ? fail(&e) : list(&c, &e);
	buf_release(&c.cwd);
	buf_release(&c.provider);
	buf_release(&c.model);
	filter_release(&c.words);
	return status;
}

const struct applet applet_session_ls = {
	.name = "mc-session-ls",
	.summary = "list sessions, the most recently active first",
	.operands = "[WORD…]",
	.opts = opts,
	.run = run,
};
