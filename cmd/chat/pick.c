/* The picker of sessions: `mc-chat -s` without an id, and /sessions. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/json-scan.h"
#include "chat/command.h"
#include "store/index.h"
#include "prompt/picker.h"

#define EXCHANGES 4         /* in a preview, at most */
#define QUERY_ROWS 3
#define OLDER_ROWS 4        /* of an answer that is not the last one */
#define LARGE (1024 * 1024) /* bytes of a record that is not read for a preview */
#define ENOUGH (LARGE / 4)  /* bytes behind which no older one is, either */

struct sessions {
	const struct store *store;
	struct index_reader index;
	struct span *lines; /* in the index */
	size_t n, cap;
	int64_t now;
	struct err e;       /* of memory: the list ends early */
};

static const struct column columns[] = {
	{ .name = "ID", .most = 20, .least = 1 },
	{ .name = "ACTIVE", .most = 10, .least = 1, .from = 48 },
	{ .name = "EXCHANGES", .most = 9, .least = 1, .from = 88, .right = true },
	{ .name = "MODEL", .most = 20, .least = 1, .from = 62 },
	{ .name = "TITLE OR FIRST PROMPT" },
};

/* ---- the list ---- */

static bool is_text(struct span json)
{
	return json.n > 2 && *json.p == '"';
}

static void add_text(struct buf *b, struct span json)
{
	json_scan_add_str(b, json);
	buf_addc(b, '\n');
}

static bool next(void *ctx, struct buf *text)
{
	struct sessions *s = ctx;
	struct index_record r;
	struct span line, *lines;

	for (;;) {
		if (!index_next(&s->index, &line))
			return false;
		if (index_record(line, INDEX_ALL, &r))
			break;
		index_reject(&s->index, line);
	}
	lines = array_room(s->lines, s->n, &s->cap, sizeof(*lines), &s->e);
	if (!lines)
		return false;
	s->lines = lines;
	lines[s->n++] = line;
	buf_add(text, r.id.p, r.id.n);
	buf_addc(text, '\n');
	add_text(text, r.model);
	add_text(text, r.title);
	add_text(text, r.first_query);
	if (!span_same(r.last_query, r.first_query))
		add_text(text, r.last_query);
	add_text(text, r.cwd);
	return true;
}

/* A record that was read before: that it can be is known. */
static struct index_record record(const struct sessions *s, size_t item, char id[ID_SIZE])
{
	struct index_record r = { 0 };

	index_record(s->lines[item], INDEX_ALL, &r);
	snprintf(id, ID_SIZE, "%.*s", (int)r.id.n, r.id.p);
	return r;
}

/* In one line, without a tab. */
static void add_cell(struct buf *cells, struct span json)
{
	size_t start = cells->n;

	json_scan_add_str(cells, json);
	for (size_t i = start; i < cells->n; i++)
		if (strchr("\t\r\n", cells->p[i]))
			cells->p[i] = ' ';
}

static void row(void *ctx, size_t item, struct buf *cells)
{
	const struct sessions *s = ctx;
	char id[ID_SIZE], ago[CLOCK_TEXT];
	struct index_record r = record(s, item, id);

	clock_ago(ago, r.updated_at, s->now);
	buf_addf(cells, "%s\t%s\t%" PRId64 "\t", id, ago, r.exchange_count);
	add_cell(cells, r.model);
	buf_addc(cells, '\t');
	add_cell(cells, is_text(r.title) ? r.title : r.first_query);
}

static int check(void *ctx, size_t item, struct err *e)
{
	const struct sessions *s = ctx;
	char id[ID_SIZE];

	record(s, item, id);
	return history_exists(s->store, id) ? 0
	       : err_set(e, ERR_NOT_FOUND, "session '%s' was removed", id);
}

/* ---- the preview ---- */

static size_t room(const struct picker_preview *v)
{
	return v->rows - v->n;
}

static void show_head(struct picker_preview *v, const struct index_record *r)
{
	char created[CLOCK_TEXT], active[CLOCK_TEXT];
	struct buf b = BUF_INIT;

	add_cell(&b, is_text(r->title) ? r->title : r->first_query);
	picker_show(v, buf_span(&b), 2);
	buf_clear(&b);
	json_scan_add_str(&b, r->model);
	if (b.n)
		buf_adds(&b, ", ");
	buf_addf(&b, "%" PRId64 " exchange%s", r->exchange_count, r->exchange_count == 1 ? "" : "s");
	picker_show(v, buf_span(&b), 1);
	buf_clear(&b);
	json_scan_add_str(&b, r->cwd);
	picker_show(v, buf_span(&b), 1);
	clock_local(created, r->created_at);
	clock_local(active, r->updated_at);
	buf_clear(&b);
	buf_addf(&b, "%s, since %s", active, created);
	picker_show(v, buf_span(&b), 1);
	v->text.oom |= b.oom;
	buf_release(&b);
}

/* A row that is empty, where there is room for more than that. */
static void leave_row(struct picker_preview *v)
{
	if (room(v) < 2)
		return;
	buf_addc(&v->text, '\n');
	v->n++;
}

static void show_exchange(struct picker_preview *v, const struct exchange *x, size_t answer_rows)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "> ");
	buf_add(&b, x->query.p, x->query.n < LARGE ? x->query.n : LARGE);
	picker_show(v, buf_span(&b), QUERY_ROWS);
	buf_clear(&b);
	for (size_t i = 0; i < x->nattachments; i++)
		buf_addf(&b, "[attached: %.*s]\n", (int)x->attachments[i].name.n, x->attachments[i].name.p);
	picker_show(v, buf_span(&b), 2);
	leave_row(v);
	picker_show(v, x->answer, answer_rows);
	buf_clear(&b);
	if (x->status == STATUS_INTERRUPTED)
		buf_adds(&b, "[interrupted]");
	else if (x->status == STATUS_ERROR)
		buf_addf(&b, "[error: %.*s]", (int)x->error.n, x->error.p ? x->error.p : "");
	picker_show(v, buf_span(&b), 2);
	v->text.oom |= b.oom;
	buf_release(&b);
}

/* In as many rows as `v` has. Returns the size of its record. */
static size_t show_stored(struct picker_preview *v, const struct jsonl *j, const struct exchange_node *x,
                          size_t answer_rows)
{
	struct span line;
	size_t at = x->at;

	if (!jsonl_next(j, &at, &line))
		return 0;
	if (line.n > LARGE) {
		char text[64];

		snprintf(text, sizeof(text), "(an exchange of %zu MiB)", line.n >> 20);
		picker_show(v, span_str(text), 1);
	} else {
		show_exchange(v, &x->record.exchange, answer_rows);
	}
	return line.n;
}

/* The last exchanges, the newest of which comes last and gets the most room. */
static void show_exchanges(struct picker_preview *v, const struct jsonl *j, const struct conversation *c)
{
	struct picker_preview parts[EXCHANGES];
	size_t n = 0, left = room(v), bytes = 0;

	for (size_t i = c->n; i-- > 0 && n < EXCHANGES && left > 2 && bytes < ENOUGH; n++) {
		size_t rows = n ? OLDER_ROWS : c->n > 1 ? left / 2 + 1 : left;

		parts[n] = (struct picker_preview){ left - 1, v->columns, BUF_INIT, 0 };
		bytes += show_stored(&parts[n], j, c->path[i], rows);
		left -= parts[n].n ? parts[n].n + 1 : 0;
	}
	while (n-- > 0) {
		if (parts[n].n) {
			buf_addc(&v->text, '\n'); /* an empty row before each */
			buf_add(&v->text, parts[n].text.p, parts[n].text.n);
			v->n += parts[n].n + 1;
		}
		v->text.oom |= parts[n].text.oom;
		buf_release(&parts[n].text);
	}
}

static void preview(void *ctx, size_t item, struct picker_preview *v)
{
	const struct sessions *s = ctx;
	struct err e = ERR_INIT;
	char id[ID_SIZE];
	struct index_record r = record(s, item, id);
	const struct history_want want = { .last = EXCHANGES };
	struct conversation c = CONVERSATION_INIT;
	struct store quiet = *s->store; /* a notice would be written over the list */
	struct jsonl j;
	bool whole;

	show_head(v, &r);
	if (history_map(s->store, id, &j, &e) < 0) {
		leave_row(v);
		if (e.kind == ERR_NOT_FOUND)
			snprintf(e.msg, sizeof(e.msg), "session '%s' was removed", id);
		picker_show(v, span_str(e.msg), 3);
		return;
	}
	quiet.notice = NULL;
	if (history_load_newest(&c, &quiet, id, &j, &want, &whole, &e) == 0 || e.kind == ERR_DAMAGED)
		show_exchanges(v, &j, &c);
	conversation_release(&c);
	jsonl_unmap(&j);
}

/* ---- picking ---- */

static int pick(struct sessions *s, const struct picker_terminal *t, struct span words,
                char id[ID_SIZE], struct err *e)
{
	const struct picker_source source = {
		.ctx = s, .what = "Session", .typed = words, .columns = columns,
		.ncolumns = sizeof(columns) / sizeof(columns[0]),
		.next = next, .row = row, .preview = preview, .check = check,
	};
	size_t item;
	int r;

	r = picker_run(&source, t, &item, e);
	if (r > 0)
		record(s, item, id);
	if (r >= 0 && (s->index.oom || s->e.kind != ERR_NONE))
		return err_oom(e);
	return r;
}

/* A list without an item is none to show. */
static int check_any(const struct store *s, struct err *e)
{
	char id[ID_SIZE];

	if (session_latest(s, id, e) == 0)
		return 0;
	if (e->kind != ERR_NOT_FOUND)
		return -1;
	err_clear(e);
	return err_set(e, ERR_NOT_FOUND, "there is no session to pick yet");
}

bool can_pick_session(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

int pick_session(const struct chat *chat, struct span words, char id[ID_SIZE], struct err *e)
{
	struct buf ahead = BUF_INIT;
	const struct picker_terminal t = { STDIN_FILENO, STDERR_FILENO, chat->stop_fd, chat->show.plain,
		                           &ahead };
	struct sessions s = { .store = &chat->tool.store, .now = clock_now_ms(), .e = ERR_INIT };
	int r;

	if (check_any(s.store, e) < 0 || index_open(&s.index, s.store, true, e) < 0)
		return -1;
	fflush(stderr);
	if (chat->editor)
		edit_take_ahead(chat->editor, &ahead);
	r = pick(&s, &t, words, id, e);
	if (chat->editor)
		edit_type_ahead(chat->editor, buf_span(&ahead));
	buf_release(&ahead);
	index_close(&s.index);
	free(s.lines);
	return r;
}

bool command_sessions(struct chat *chat, struct span args)
{
	char id[ID_SIZE];
	struct err e = ERR_INIT;
	int r = -1;

	if (!can_pick_session())
		err_set(&e, ERR_USAGE, "standard error is no terminal to show a list on; /use takes an id");
	else if (chat_find_store(chat, &e) == 0)
		r = pick_session(chat, args, id, &e);
	/* Where one is, one stays, and what is attached, too. */
	if (r > 0 && strcmp(id, chat->at.id) != 0 && (r = chat_use(chat, id, &e)) == 0)
		print_session(chat);
	return r < 0 ? command_fail(&e) : true;
}
