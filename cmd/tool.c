#include "tool.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/io.h"
#include "base/json-scan.h"
#include "base/utf8.h"
#include "store/index.h"
#include "store/session.h"
#include "client/endpoint.h"
#include "client/provider-choice.h"
#include "tty/columns.h"
#include "tty/neutral.h"
#include "tty/pager.h"
#include "tty/term.h"

#define FOR_NOW_MAX 80   /* columns */
#define RECENT_WIDTH 200 /* columns that hold any id, a time and a title */

const char *tool_name = "mcbox";

/* Without memory, in case there is none. */
static void say_plainly(const char *sentence)
{
	fprintf(stderr, "%s: ", tool_name);
	for (const char *p = sentence; *p; p++)
		fputc((unsigned char)*p < ' ' || (unsigned char)*p > '~' ? '?' : *p, stderr);
	fputc('\n', stderr);
}

static bool for_now; /* what stands on stderr's line is to be written over */

void unsay(void)
{
	if (for_now)
		fputs("\r\033[K", stderr);
	for_now = false;
}

void wrap_for_stderr(struct buf *line)
{
	if (!line->oom && can_say_for_now())
		term_wrap(line, term_columns(STDERR_FILENO));
}

void say(const char *sentence)
{
	struct buf b = BUF_INIT;

	unsay();
	buf_addf(&b, "%s: ", tool_name);
	neutral_add(&b, span_str(sentence)); /* whoever reads it may show it at a terminal */
	for (size_t i = 0; i < b.n; i++) /* nobody but us begins a line with our name */
		if (b.p[i] == '\n' || b.p[i] == '\r')
			b.p[i] = ' ';
	wrap_for_stderr(&b);
	if (b.oom)
		say_plainly(sentence);
	else
		fprintf(stderr, "%s\n", b.p);
	buf_release(&b);
}

bool can_say_for_now(void)
{
	const char *term = env("TERM");

	return isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

/* In one write, so that nothing flickers. */
static void write_over(struct span text, const char *before, const char *after)
{
	size_t columns = term_columns(STDERR_FILENO);
	struct buf b = BUF_INIT;

	buf_addf(&b, "\r\033[K%s", before);
	/* Were there no room for the terminal's ^C, it would begin a line that is not written over.
	 * A window that is made narrower may break a long line in two. */
	columns = columns > FOR_NOW_MAX ? FOR_NOW_MAX : columns;
	term_add_fit(&b, text, columns > 2 ? columns - 2 : 1, false);
	buf_adds(&b, after);
	fputs(b.p, stderr);
	for_now = true;
	buf_release(&b);
}

void say_for_now(const char *sentence)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%s: ", tool_name);
	neutral_add_line(&b, span_str(sentence));
	write_over(buf_span(&b), "", "");
	buf_release(&b);
}

void hint_for_now(const char *text)
{
	write_over(span_str(text), "\033[2m", "\033[0m");
}

void say_in_use(const char *id, pid_t holder)
{
	char text[160];

	if (holder > 0)
		snprintf(text, sizeof(text), "waiting for process %ld, which is using session '%s'",
		         (long)holder, id);
	else
		snprintf(text, sizeof(text), "waiting for another process, which is using session '%s'", id);
	say(text);
}

/* A damaged record is met again at each turn of a conversation: once is enough. */
static void say_once(const char *sentence)
{
	static uint64_t said[64];
	static size_t n;
	uint64_t h = span_hash(span_str(sentence));

	for (size_t i = 0; i < n; i++)
		if (said[i] == h)
			return;
	if (n < sizeof(said) / sizeof(said[0]))
		said[n++] = h;
	say(sentence);
}

int exit_status(const struct err *e)
{
	switch (e->kind) {
	case ERR_NONE:        return EXIT_DONE;
	case ERR_USAGE:       return EXIT_USAGE;
	case ERR_NETWORK:     return EXIT_PROVIDER;
	case ERR_UNSTORED:    return EXIT_UNSTORED;
	case ERR_BUSY:        return EXIT_BUSY;
	case ERR_INTERRUPTED: return EXIT_INTERRUPTED;
	default:              return EXIT_FAILED;
	}
}

int fail(const struct err *e)
{
	say(e->msg);
	return exit_status(e);
}

int output_failed(int why)
{
	struct err e = ERR_INIT;

	if (why == EPIPE)
		return EXIT_FAILED;
	err_sys(&e, why, "cannot write the output");
	return fail(&e);
}

int tool_load(struct tool *t, struct err *e)
{
	*t = (struct tool){ .config = CONFIG_INIT, .store = { .fd = -1, .stop_fd = -1, .notice = say_once } };
	return config_load(&t->config, e);
}

int tool_open(struct tool *t, bool create, struct err *e)
{
	if (tool_load(t, e) < 0)
		return -1;
	if (!t->config.sessions_dir)
		return err_set(e, ERR_FAILED,
		               "cannot tell where sessions are kept: set HOME or MC_SESSIONS_DIR");
	return store_open(&t->store, t->config.sessions_dir, create, e);
}

void tool_close(struct tool *t)
{
	store_close(&t->store);
	config_release(&t->config);
}

bool at_terminal(void)
{
	return isatty(STDOUT_FILENO) || pager_is_open();
}

bool with_person(void)
{
	return isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
}

/* Reads the newest sessions that still exist, at most `max`. Returns how many. */
static size_t read_recent(const struct store *s, struct index_reader *index, struct index_record *v, size_t max)
{
	char id[ID_SIZE];
	struct span line;
	size_t n = 0;

	while (n < max && index_next(index, &line)) {
		if (!index_record(line, INDEX_ALL, &v[n])) {
			index_reject(index, line);
			continue;
		}
		snprintf(id, sizeof(id), "%.*s", (int)v[n].id.n, v[n].id.p);
		n += history_exists(s, id);
	}
	return n;
}

static void print_recent(const struct columns *t, const struct index_record *r)
{
	struct buf text = BUF_INIT, row = BUF_INIT;
	char when[CLOCK_TEXT];

	clock_local(when, r->updated_at);
	json_scan_add_str(&text, span_eq(r->title, "null") ? r->last_query : r->title);
	columns_add_row(t, &row, (struct span[]){ r->id, span_str(when), buf_span(&text) });
	fprintf(stderr, "  %s\n", row.p);
	buf_release(&text);
	buf_release(&row);
}

void print_recent_sessions(const struct store *s)
{
	struct column columns[] = {
		{ .name = "" }, /* the id */
		{ .name = "", .brief = "", .width = 16, .least = 10 }, /* 2026-11-21 09:55 */
		{ .name = "", .most = 50 },
	};
	struct columns t = { .v = columns, .n = 3 };
	size_t window = term_columns(STDERR_FILENO), n;
	struct err ignored = ERR_INIT;
	struct index_record v[5];
	struct index_reader r;

	if (index_open(&r, s, false, &ignored) < 0)
		return;
	n = read_recent(s, &r, v, sizeof(v) / sizeof(v[0]));
	for (size_t i = 0; i < n; i++)
		columns_measure(&t, (struct span[]){ v[i].id, { "", 0 }, { "", 0 } });
	columns_lay_out(&t, !isatty(STDERR_FILENO) ? RECENT_WIDTH : window > 2 ? window - 2 : 1);
	if (n)
		fprintf(stderr, "Recent sessions:\n");
	for (size_t i = 0; i < n; i++)
		print_recent(&t, &v[i]);
	index_close(&r);
}

int fail_session(const struct store *s, const struct err *e)
{
	static bool listed; /* once is enough, however many are missing */
	int status = fail(e);

	if (e->kind == ERR_NOT_FOUND && !listed) {
		listed = true;
		print_recent_sessions(s);
	}
	return status;
}

/* ---- a new session ---- */

static int check_text(const char *what, const char *text, struct err *e)
{
	return text ? utf8_check(span_str(text), what, e) : 0;
}

int check_choice(const struct session_choice *c, struct err *e)
{
	if (check_text("the provider", c->provider, e) < 0 || check_text("the model", c->model, e) < 0 ||
	    check_text("the system prompt", c->system, e) < 0 || check_text("the title", c->title, e) < 0)
		return -1;
	return 0;
}

static void take_text(struct span *to, const char *text)
{
	if (text && *text)
		*to = span_str(text);
}

static int find_cwd(const char *given, struct buf *cwd, struct err *e)
{
	char path[PATH_MAX];
	struct stat st;

	if (!realpath(given ? given : ".", path))
		return given ? err_sys(e, errno, "cannot use directory '%s'", given)
		             : (buf_adds(cwd, "?"), 0); /* it was deleted; no reason to fail */
	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return err_sys(e, ENOTDIR, "cannot use directory '%s'", given);
	utf8_add_clean(cwd, span_str(path));
	return buf_check(cwd, e);
}

static const char *first_of(const char *a, const char *b, const char *c)
{
	return a ? a : b ? b : c;
}

int resolve_alias(struct session_choice *choice, const struct config *config, struct err *e)
{
	const struct config_alias *a = choice->model ? config_alias(config, choice->model) : NULL;

	if (!a)
		return 0;
	if (config_alias_fits(a, choice->provider, e) < 0)
		return -1;
	choice->model = a->model;
	choice->provider = a->provider ? a->provider : choice->provider;
	return 0;
}

void say_other_vendor(const struct endpoint *ep, const char *model, bool kept)
{
	const char *vendor = endpoint_other_vendor(ep, model);
	struct buf line = BUF_INIT;

	if (!vendor)
		return;
	buf_addf(&line, "'%s' looks like a model of %s, but is sent to %s, ", model, vendor, ep->name);
	if (kept)
		buf_adds(&line, "since a session keeps its provider; start a new session for it");
	else
		buf_addf(&line, "the chosen provider; '-p %s' sends it to %s", vendor, vendor);
	say(line.p);
	buf_release(&line);
}

int describe_session(struct session_head *head, const struct session_choice *given,
                     const struct config *config, struct buf *cwd, struct err *e)
{
	struct session_choice choice = *given;
	struct endpoint ep;
	const char *name;

	if (check_choice(given, e) < 0 || resolve_alias(&choice, config, e) < 0)
		return -1;
	name = choice.provider ? choice.provider : provider_choose(config, choice.model);
	if (endpoint_find(&ep, config, name, e) < 0)
		return -1;
	head->provider = span_str(ep.section ? ep.section->name : ep.provider->name);
	head->model = span_str(first_of(choice.model, endpoint_model(&ep), ""));
	take_text(&head->system, first_of(choice.system, config->system, NULL));
	take_text(&head->title, choice.title);
	if (find_cwd(choice.cwd, cwd, e) < 0)
		return -1;
	head->cwd = buf_span(cwd);
	if (choice.model)
		say_other_vendor(&ep, choice.model, false);
	return 0;
}

/* ---- how many exchanges ---- */

void add_exchanges(struct buf *b, size_t n, size_t incomplete)
{
	size_t complete = n - incomplete;

	if (complete || !incomplete)
		buf_addf(b, "%zu exchange%s", complete, complete == 1 ? "" : "s");
	if (complete && incomplete)
		buf_addf(b, " and %zu incomplete", incomplete);
	else if (incomplete)
		buf_addf(b, "%zu incomplete exchange%s", incomplete, incomplete == 1 ? "" : "s");
}

void add_number(struct buf *b, size_t n, size_t incomplete)
{
	if (n - incomplete || !incomplete)
		buf_addf(b, "%zu%s", n - incomplete, incomplete ? " and " : "");
	if (incomplete)
		buf_addf(b, "%zu incomplete", incomplete);
}

void add_some_exchanges(struct buf *b, size_t n, size_t incomplete, size_t all, size_t all_incomplete)
{
	if (n == incomplete) {
		add_exchanges(b, n, incomplete);
		return;
	}
	buf_addf(b, "%zu of %zu exchanges", n - incomplete, all - all_incomplete);
	if (incomplete)
		buf_addf(b, " and %zu incomplete", incomplete);
}

void say_branches(const char *id, int64_t n)
{
	struct buf b = BUF_INIT;

	if (n <= 0)
		return;
	buf_addf(&b, "session '%s' has %" PRId64 " more branch%s; mc-session-cat --json --branches %s prints "
	         "every record", id, n, n == 1 ? "" : "es", id);
	say(b.p);
	buf_release(&b);
}

void say_tree(const char *id, const struct conversation *c)
{
	const struct exchange_node *root = c->partial || !c->n ? NULL : c->path[0];
	struct buf b = BUF_INIT;

	if (root && root->parent && root->parent->at == NOT_STORED) {
		buf_addf(&b, "session '%s': the exchange before the first one is missing; mc-session-cat --json "
		         "--branches %s prints every record", id, id);
		say(b.p);
	}
	say_branches(id, c->info.branches);
	buf_release(&b);
}

size_t count_incomplete(const struct conversation *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->path[i]->status != STATUS_COMPLETE;
	return n;
}

/* ---- output ---- */

static bool incomplete;
static int write_error; /* errno of the first flush that failed */

void print_buf(FILE *f, struct buf *b)
{
	incomplete |= b->oom && f == stdout;
	fwrite(b->p, 1, b->n, f);
	buf_release(b);
}

void print_now(void)
{
	if (fflush(stdout) != 0 && !write_error)
		write_error = errno;
}

int output_error(void)
{
	print_now();
	io_finish();
	if (!write_error)
		write_error = io_failed(STDOUT_FILENO);
	if (!write_error && ferror(stdout))
		write_error = EIO;
	return write_error ? write_error : incomplete ? ENOMEM : 0;
}

void forget_output_error(void)
{
	clearerr(stdout);
	io_failed(STDOUT_FILENO);
	write_error = 0;
}

void print_json(struct span lines)
{
	struct buf b = BUF_INIT;

	if (at_terminal()) {
		neutral_add_json(&b, lines);
		print_buf(stdout, &b);
	} else {
		fwrite(lines.p, 1, lines.n, stdout);
	}
}

void print_record(struct buf *b)
{
	incomplete |= b->oom;
	print_json(buf_span(b));
	buf_release(b);
}

/* ---- an exchange as text ---- */

static void print_line(FILE *f, const char *prefix, struct span line, bool harmless)
{
	struct buf b = BUF_INIT;

	if (harmless) {
		line.n -= line.n && line.p[line.n - 1] == '\r'; /* CRLF, whose LF is not here */
		neutral_add(&b, line);
		line = (struct span){ "", 0 };
	}
	fputs(prefix, f);
	fwrite(line.p, 1, line.n, f);
	print_buf(f, &b);
	fputc('\n', f);
}

static void print_lines(FILE *f, const char *prefix, struct span text, size_t max_lines,
                        bool harmless)
{
	for (size_t n = 1; text.n; n++) {
		const char *end = memchr(text.p, '\n', text.n);
		size_t len = end ? (size_t)(end - text.p) : text.n;

		if (max_lines && n > max_lines) {
			print_line(f, prefix, span_str("…"), harmless);
			break;
		}
		print_line(f, prefix, (struct span){ text.p, len }, harmless);
		len += end != NULL;
		text = (struct span){ text.p + len, text.n - len };
	}
}

/* In a unit that a person can compare. */
static void add_size(struct buf *b, int64_t n)
{
	if (n < 1024)
		buf_addf(b, "%lld byte%s", (long long)n, n == 1 ? "" : "s");
	else if (n < 1024 * 1024)
		buf_addf(b, "%lld KiB", (long long)(n / 1024));
	else
		buf_addf(b, "%lld MiB", (long long)(n / (1024 * 1024)));
}

void print_attachments(FILE *f, const struct attachment_ref *list, size_t n, size_t max_lines,
                       bool harmless)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		const struct attachment_ref *a = &list[i];

		buf_adds(&b, "[attached: ");
		neutral_add_column(&b, a->name);
		buf_addf(&b, " (%.*s, ", (int)a->type.n, a->type.p);
		add_size(&b, a->size);
		buf_adds(&b, ")]\n");
	}
	incomplete |= b.oom && f == stdout;
	print_lines(f, "", buf_span(&b), max_lines, harmless);
	buf_release(&b);
}

void print_mark(FILE *f, const struct exchange *x, bool harmless)
{
	struct buf mark = BUF_INIT;

	if (x->status == STATUS_INTERRUPTED)
		buf_adds(&mark, "[interrupted]");
	else if (x->status == STATUS_ERROR)
		buf_addf(&mark, "[error: %.*s]", (int)x->error.n, x->error.p ? x->error.p : "");
	incomplete |= mark.oom && f == stdout;
	print_lines(f, "", buf_span(&mark), 0, harmless);
	buf_release(&mark);
}

void print_query(FILE *f, struct span query, size_t max_lines, bool harmless)
{
	print_lines(f, "> ", query, max_lines, harmless);
}

void print_exchange(FILE *f, const struct exchange *x, size_t max_lines, bool harmless)
{
	print_query(f, x->query, max_lines, harmless);
	print_attachments(f, x->attachments, x->nattachments, max_lines, harmless);
	fputc('\n', f);
	print_lines(f, "", x->answer, max_lines, harmless);
	print_mark(f, x, harmless);
}
