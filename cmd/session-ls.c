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
#include "tty/columns.h"
#include "prompt/filter.h"
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

static void decoded(struct buf *to, struct span json)
{
	struct buf raw = BUF_INIT;

	json_scan_add_str(&raw, json);
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
	decoded(&b, r->model);
	buf_addc(&b, '\t');
	decoded(&b, title_or_query(r));
	buf_addc(&b, '\n');
	print_buf(stdout, &b);
}

/* ---- the table ---- */

#define DATE 10      /* 2026-11-21 */
#define MOMENT 16    /* 2026-11-21 09:55 */
#define MODEL_MIN 8  /* of less, nothing can be made out */
#define MODEL_MAX 20

enum { ID, CREATED, ACTIVE, COUNT, MODEL, TITLE, NCOLUMNS };

/* People look for titles: these have two fifths of the window, and the other columns what is left,
 * the most useful ones first. */
static const struct column columns[NCOLUMNS] = {
	[ID] = { .name = "ID", .width = 8 },
	[CREATED] = { .name = "CREATED", .width = MOMENT, .rank = 4 },
	[ACTIVE] = { .name = "LAST ACTIVE", .brief = "ACTIVE", .width = MOMENT, .least = DATE, .rank = 1 },
	[COUNT] = { .name = "EXCHANGES", .right = true, .rank = 3 },
	[MODEL] = { .name = "MODEL", .most = MODEL_MAX, .least = MODEL_MIN, .rank = 2 },
	[TITLE] = { .name = "TITLE OR FIRST PROMPT" },
};

static void fit_window(struct columns *t)
{
	size_t window = term_columns(STDOUT_FILENO);

	t->v[ID].most = window / 3 < MODEL_MAX ? MODEL_MAX : window / 3;
	t->v[TITLE].least = window * 2 / 5;
	columns_lay_out(t, window);
}

static void measure(struct columns *t, const struct index_record *r)
{
	struct span cells[NCOLUMNS] = { [ID] = r->id };
	struct buf model = BUF_INIT;

	json_scan_add_str(&model, r->model);
	cells[MODEL] = buf_span(&model);
	columns_measure(t, cells);
	t->oom |= model.oom;
	buf_release(&model);
}

static void print_row(const struct columns *t, const struct index_record *r)
{
	char created[CLOCK_TEXT], updated[CLOCK_TEXT], count[24];
	struct buf model = BUF_INIT, title = BUF_INIT, b = BUF_INIT;

	clock_local(created, r->created_at);
	clock_local(updated, r->updated_at);
	snprintf(count, sizeof(count), "%" PRId64, r->exchange_count);
	json_scan_add_str(&model, r->model);
	json_scan_add_str(&title, title_or_query(r));
	columns_add_row(t, &b, (struct span[NCOLUMNS]){
		[ID] = r->id, [CREATED] = span_str(created), [ACTIVE] = span_str(updated),
		[COUNT] = span_str(count), [MODEL] = buf_span(&model), [TITLE] = buf_span(&title),
	});
	buf_addc(&b, '\n');
	b.oom |= model.oom | title.oom;
	buf_release(&model);
	buf_release(&title);
	print_buf(stdout, &b);
}

static void print_heading(const struct columns *t)
{
	struct buf b = BUF_INIT;

	columns_add_heading(t, &b);
	buf_addc(&b, '\n');
	print_buf(stdout, &b);
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

static int list_table(struct listing *l)
{
	struct index_record page[PAGE];
	struct column v[NCOLUMNS];
	struct columns t = { .v = v, .n = NCOLUMNS };
	struct span line;
	bool first = true;
	size_t n;

	memcpy(v, columns, sizeof(v));
	do {
		for (n = 0; n < PAGE && next(l, &line, &page[n]); n++)
			if (first)
				measure(&t, &page[n]);
		if (n && first) {
			fit_window(&t);
			print_heading(&t);
		}
		first = false;
		for (size_t i = 0; i < n; i++)
			print_row(&t, &page[i]);
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
