/*
 * lib/store/check. The input is a store of one session: its history, with the short forms
 * of story.h; behind a line "==" the index, in which "+" stands for the record that the
 * history deserves; behind another "==" the session's turn.partial.
 *
 * Properties: a check changes nothing, and says the same when asked twice. A repair loses
 * nothing: each line of the history is in it still, or in quarantine, and valid records
 * stay in their order; an exchange beside NUL bytes is in the history, and a turn that was cut
 * short becomes one. What a check finds
 * after a repair, the repair has found and told that it cannot repair, and where it finds
 * nothing the session is read without a notice, and listed.
 */
#include "store/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "store/index.h"
#include "store/quarantine.h"
#include "store/spool.h"
#include "story.h"

static char place[4096];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type;
	return f->level ? remove(path) : 0;
}

static void empty_place(void)
{
	nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_place(void)
{
	empty_place();
	rmdir(place);
}

/* One for all inputs, the working directory stays. */
static void make_place(void)
{
	const char *tmp = getenv("TMPDIR");

	if (place[0])
		return;
	snprintf(place, sizeof(place), "%s/mcbox-fuzz-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	must(mkdtemp(place) && atexit(remove_place) == 0, "a folder");
}

static void write_file(int dir, const char *name, struct span text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	must(fd >= 0 && io_write(fd, text.p, text.n) == 0, "%s", name);
	close(fd);
}

/* Nothing where there is no such file. */
static void read_file(int dir, const char *name, struct buf *b)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	must(io_read_all(fd, b, SIZE_MAX / 8) == 0, "%s", name);
	close(fd);
}

/* ---- the store ---- */

static size_t notices;

static void notice(const char *sentence)
{
	must(sentence[0], "a notice");
	notices++;
}

/* The story's part up to a line "==", which is cut off with it. */
static struct span cut_part(struct span *rest)
{
	struct span part = { rest->p, 0 }, line;

	while (cut_line(rest, &line)) {
		if (span_eq(line, "=="))
			return part;
		part.n = (size_t)(rest->p - part.p);
	}
	return part;
}

static void add_index(struct buf *b, const struct store *s, struct span text)
{
	struct err e = ERR_INIT;
	struct span line;
	struct jsonl j;

	while (cut_line(&text, &line)) {
		if (!span_eq(line, "+")) {
			buf_add(b, line.p, line.n);
			buf_addc(b, '\n');
		} else if (history_map(s, "s", &j, &e) == 0) {
			struct conversation c = CONVERSATION_INIT;

			c.lean = true; /* as whoever makes the index reads it */
			if (history_load(&c, s, "s", &j, &e) == 0)
				index_add_record(b, "s", &c.info);
			err_clear(&e);
			conversation_release(&c);
			jsonl_unmap(&j);
		}
	}
}

static void build(const struct store *s, struct span input, struct buf *history, struct buf *index,
                  struct span *spool)
{
	struct span story = cut_part(&input), list = cut_part(&input);
	int dir;

	*spool = input;
	must(mkdirat(s->fd, "s", 0700) == 0, "a session's folder");
	dir = openat(s->fd, "s", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	add_story(history, story);
	write_file(dir, HISTORY_FILE, buf_span(history));
	add_index(index, s, list);
	if (index->n)
		write_file(s->fd, INDEX_FILE, buf_span(index));
	if (spool->n)
		write_file(dir, SPOOL_FILE, *spool);
	close(dir);
}

/* ---- checking ---- */

struct seen {
	size_t n, left[FINDING_ORPHAN + 1]; /* findings; of each kind those not repaired */
	struct buf text;
};

static void report(void *ctx, const struct finding *f)
{
	struct seen *seen = ctx;

	must(f->file && f->file[0] && f->message && f->message[0], "a finding says what and where");
	must(f->repair != REPAIR_NONE || !f->quarantine, "nothing is moved without a repair");
	seen->n++;
	seen->left[f->kind] += f->repair != REPAIR_DONE;
	buf_addf(&seen->text, "%s %s:%zu: %s\n", finding_name(f->kind), f->file, f->line, f->message);
}

static void check(const struct store *s, bool repair, struct seen *seen)
{
	struct check c = { .store = s, .repair = repair, .wait = { .no_wait = true, .stop_fd = -1 },
		           .report = report, .ctx = seen };
	struct err e = ERR_INIT;

	*seen = (struct seen){ .text = BUF_INIT };
	must(check_store(&c, &e) == 0, "%s", e.msg);
	must(c.findings == seen->n, "%zu findings", c.findings);
	check_release(&c);
}

static void check_only(const struct store *s, struct span history, struct span index,
                       struct span spool)
{
	struct buf now[3] = { BUF_INIT, BUF_INIT, BUF_INIT };
	struct seen one, two;

	check(s, false, &one);
	check(s, false, &two);
	must_be_same(buf_span(&two.text), buf_span(&one.text), "what a check finds");
	read_file(s->fd, "s/" HISTORY_FILE, &now[0]);
	read_file(s->fd, INDEX_FILE, &now[1]);
	read_file(s->fd, "s/" SPOOL_FILE, &now[2]);
	must_be_same(buf_span(&now[0]), history, "the history");
	must_be_same(buf_span(&now[1]), index, "the index");
	must_be_same(buf_span(&now[2]), spool, "the spool");
	must(faccessat(s->fd, QUARANTINE_DIR, F_OK, 0) < 0, "a quarantine");
	for (size_t i = 0; i < 3; i++)
		buf_release(&now[i]);
	buf_release(&one.text);
	buf_release(&two.text);
}

/* ---- what is left after a repair ---- */

/* All that is in quarantine, a newline behind each file. */
static void read_quarantine(const struct store *s, struct buf *b)
{
	int fd = openat(s->fd, QUARANTINE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *f;

	while (d && (f = readdir(d)) != NULL)
		if (f->d_name[0] != '.') {
			read_file(fd, f->d_name, b);
			buf_addc(b, '\n');
		}
	if (d)
		closedir(d);
}

static bool has_line(struct span text, struct span want)
{
	struct span line;

	while (cut_line(&text, &line))
		if (same(line, want))
			return true;
	return false;
}

static void check_kept(struct span before, struct span after, struct span moved)
{
	struct span rest = before, at = after, line, next;
	bool found;

	while (cut_line(&rest, &line))
		must(has_line(after, line) || has_line(moved, line), "lost: '%.*s'", (int)line.n, line.p);
	/* The lines of before are in their order. */
	rest = before;
	while (cut_line(&rest, &line)) {
		if (has_line(moved, line))
			continue;
		for (found = false; !found && cut_line(&at, &next);)
			found = same(next, line);
		must(found, "out of order: '%.*s'", (int)line.n, line.p);
	}
}

static bool has_exchange(struct span history, struct span id)
{
	struct span line;
	bool found = false;

	while (!found && cut_line(&history, &line)) {
		struct err e = ERR_INIT;
		struct record r;

		if (record_parse(line, &r, &e) < 0)
			continue;
		found = r.type == RECORD_EXCHANGE && same(r.exchange.id, id);
		record_release(&r);
	}
	return found;
}

/* What is between NUL bytes on a line, and is an exchange. */
static void check_pieces(struct span before, struct span after)
{
	struct span line;

	while (cut_line(&before, &line))
		for (size_t i = 0, n; memchr(line.p, '\0', line.n) && i < line.n; i += n + 1) {
			struct err e = ERR_INIT;
			struct record r;

			n = strnlen(line.p + i, line.n - i);
			if (!n || record_parse((struct span){ line.p + i, n }, &r, &e) < 0)
				continue;
			must(r.type != RECORD_EXCHANGE || has_exchange(after, r.exchange.id), "lost: '%.*s'", (int)n,
			     line.p + i);
			record_release(&r);
		}
}

static void check_sealed(const struct store *s, struct span history, const struct exchange *cut,
                         const struct seen *repair)
{
	bool gone = faccessat(s->fd, "s/" SPOOL_FILE, F_OK, 0) < 0;

	must(gone || repair->left[FINDING_SPOOL] || repair->left[FINDING_VERSION], "a spool is left");
	must(!gone || !cut->id.p || has_exchange(history, cut->id), "its turn is lost");
}

static void check_sound(const struct store *s)
{
	struct index_reader r;
	struct err e = ERR_INIT;
	struct conversation c = CONVERSATION_INIT;
	struct span line;
	struct jsonl j;

	notices = 0;
	must(history_map(s, "s", &j, &e) == 0, "%s", e.msg);
	must(history_load(&c, s, "s", &j, &e) == 0, "%s", e.msg);
	must(index_open(&r, s, true, &e) == 0, "%s", e.msg);
	must(index_next(&r, &line) && !index_next(&r, &line), "one session is listed");
	must(notices == 0, "%zu notices", notices);
	index_close(&r);
	conversation_release(&c);
	jsonl_unmap(&j);
}

static void check_repair(const struct store *s, struct span history)
{
	struct buf after = BUF_INIT, moved = BUF_INIT;
	struct seen repair, again;
	struct err e = ERR_INIT;
	struct exchange cut;
	struct spool sp;
	int dir = openat(s->fd, "s", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (spool_read(&sp, dir, &cut, &e) <= 0)
		cut.id.p = NULL;
	check(s, true, &repair);
	read_file(dir, HISTORY_FILE, &after);
	read_quarantine(s, &moved);
	check_kept(history, buf_span(&after), buf_span(&moved));
	if (!repair.left[FINDING_VERSION] && !repair.left[FINDING_HEAD])
		check_pieces(history, buf_span(&after));
	check_sealed(s, buf_span(&after), &cut, &repair);
	check(s, false, &again);
	for (size_t i = 0; i <= FINDING_ORPHAN; i++)
		must(again.left[i] <= repair.left[i], "after a repair, which said\n%sthere is\n%s",
		     repair.text.p, again.text.p);
	if (!again.n)
		check_sound(s);
	spool_release(&sp);
	close(dir);
	buf_release(&after);
	buf_release(&moved);
	buf_release(&repair.text);
	buf_release(&again.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store s = { .stop_fd = -1, .notice = notice };
	struct buf history = BUF_INIT, index = BUF_INIT;
	struct err e = ERR_INIT;
	struct span spool;

	make_place();
	empty_place();
	must(store_open(&s, place, false, &e) == 0, "%s", e.msg);
	build(&s, (struct span){ (const char *)data, size }, &history, &index, &spool);
	check_only(&s, buf_span(&history), buf_span(&index), spool);
	check_repair(&s, buf_span(&history));
	store_close(&s);
	buf_release(&history);
	buf_release(&index);
	return 0;
}
