/* mc-session-ls: lists sessions, the most recently active first. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "applet.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "store/select.h"
#include "tool.h"
#include "tty/filter.h"
#include "tty/neutral.h"
#include "tty/term.h"

enum { O_JSON = OPT_LONG };

static const struct opt opts[] = {
	{ 'n', "max", "N", ARG_TEXT, "list at most N sessions" },
	{ 'q', "quiet", NULL, ARG_NONE, "print the ids only" },
	{ O_JSON, "json", NULL, ARG_NONE, "print one JSON object a line" },
	SELECT_OPTIONS,
	{ 0 },
};

struct listing {
	long max; /* 0: all */
	bool quiet, json;
	struct select want;
	struct filter words;
	struct select_walk sessions;
	long n;          /* sessions that were listed */
	struct buf text; /* of one record, to look for the words in */
	bool oom;        /* not even for that */
	int status;      /* of a session that was left out */
};

/* ---- which sessions ---- */

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
static bool has_words(void *ctx, const struct index_record *r)
{
	struct listing *l = ctx;

	buf_clear(&l->text);
	filter_fold(&l->text, r->id);
	buf_addc(&l->text, '\n');
	add_folded(&l->text, r->title);
	add_folded(&l->text, r->first_query);
	add_folded(&l->text, r->last_query);
	l->oom |= l->text.oom;
	return !l->oom && filter_fit(&l->words, buf_span(&l->text));
}

static void say_left_out(void *ctx, const char *id, struct err *e)
{
	struct listing *l = ctx;

	err_prefix(e, "session '%s' is left out of the list", id);
	l->status = fail(e);
}

/* The next one to list, and what is needed of its record. */
static bool next(struct listing *l, struct span *line, struct index_record *r)
{
	if ((l->max && l->n == l->max) || !select_next(&l->sessions, line, r))
		return false;
	l->n++;
	return true;
}

/* ---- the command line ---- */

/* All of them, in upper or lower case, must be in a session's record. */
static int read_words(const struct cli *cli, struct filter *words, struct err *e)
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
	filter_set(words, buf_span(&all));
	r = all.oom || words->text.oom ? err_oom(e) : 0;
	buf_release(&all);
	return r;
}

static int read_options(const struct cli *cli, struct listing *l, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < cli->nopts && r == 0; i++) {
		const char *val = cli->opts[i].val;

		switch (cli->opts[i].id) {
		case 'n': r = cli_number(val, "--max", 1, LONG_MAX, &l->max, e); break;
		case 'q': l->quiet = true; break;
		case O_JSON: l->json = true; break;
		default: r = select_option(&l->want, cli->opts[i].id, val, e);
		}
	}
	if (r == 0 && l->quiet && l->json)
		r = err_set(e, ERR_USAGE, "--quiet and --json exclude each other");
	return r == 0 ? read_words(cli, &l->words, e) : -1;
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
		if (l->json && terminal)
			print_json(line);
		else if (put_raw(&b, l->quiet, line) < 0)
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

static int list(struct listing *l, struct err *e)
{
	bool table = !l->json && !l->quiet;
	struct tool t;
	int status;

	l->sessions = (struct select_walk){ .want = &l->want, .store = &t.store, .left_out = say_left_out,
	                                    .fields = table ? INDEX_ALL : 0, .ctx = l };
	if (l->words.n) {
		l->sessions.also = has_words;
		l->sessions.fields |= INDEX_TITLE | INDEX_FIRST_QUERY | INDEX_LAST_QUERY;
	}
	if (tool_open(&t, false, e) < 0 || select_open(&l->sessions, !l->max, e) < 0) {
		status = fail(e);
	} else {
		status = !table ? list_raw(l) : at_terminal() ? list_table(l) : list_tabs(l);
		if (l->oom)
			err_oom(e);
		if (select_close(&l->sessions, e) < 0 || l->oom)
			status = fail(e);
	}
	tool_close(&t);
	return status == EXIT_DONE ? l->status : status;
}

static int run(const struct cli *cli)
{
	struct listing l = { .want = SELECT_INIT, .words = FILTER_INIT, .text = BUF_INIT };
	struct err e = ERR_INIT;
	int status;

	status = read_options(cli, &l, &e) < 0 ? fail(&e) : list(&l, &e);
	select_release(&l.want);
	filter_release(&l.words);
	buf_release(&l.text);
	return status;
}

const struct applet applet_session_ls = {
	.name = "mc-session-ls",
	.summary = "list sessions, the most recently active first",
	.operands = "[WORD…]",
	.opts = opts,
	.run = run,
};
