/*
 * lib/store/session. The input is a history, with the short forms of story.h. A long line of
 * another type follows its first line, so that only its newest exchanges are read.
 *
 * Properties: what is known of a session is the same whether all of its history was read or only
 * the end, with what the index says of the rest; also when an exchange, a change, a rewind or a
 * summary was appended by whoever has read so much, and when another session read on from there.
 */
#include "store/session.h"

#include <fcntl.h>
#include <ftw.h>

#include "fuzz.h"
#include "store/index.h"
#include "story.h"

#define PADDING 270000 /* bytes; a shorter history is read as a whole */

static char place[4096];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	(void)st, (void)type;
	return f->level ? remove(path) : 0;
}

static void remove_place(void)
{
	nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	rmdir(place);
}

static void make_place(void)
{
	const char *tmp = getenv("TMPDIR");

	if (!place[0]) {
		snprintf(place, sizeof(place), "%s/mcbox-fuzz-XXXXXX", tmp && *tmp ? tmp : "/tmp");
		must(mkdtemp(place) && atexit(remove_place) == 0, "a folder");
	}
	nftw(place, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void notice(const char *sentence)
{
	must(sentence[0], "a notice");
}

static void add_history(struct buf *b, struct span story)
{
	struct span line;

	if (cut_line(&story, &line))
		story_line(b, line);
	buf_adds(b, "\n{\"type\":\"padding\",\"x\":\"");
	for (size_t i = 0; i < PADDING / 10; i++)
		buf_adds(b, "0123456789");
	buf_adds(b, "\"}\n");
	add_story(b, story);
	if (b->p[b->n - 1] != '\n')
		buf_addc(b, '\n');
}

static void write_history(const struct store *s, struct span text)
{
	int fd;

	must(mkdirat(s->fd, "s", 0700) == 0, "a session's folder");
	fd = openat(s->fd, "s/" HISTORY_FILE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(fd >= 0 && io_write(fd, text.p, text.n) == 0, "a history");
	close(fd);
}

/* Both are right when all of it was read into `whole`. */
static void must_agree(const struct session *part, const struct session *whole)
{
	const struct conversation *c = &part->conversation, *all = &whole->conversation;
	const struct session_info *a = &c->info, *b = &all->info;
	struct buf row = BUF_INIT, want = BUF_INIT;
	int64_t read = 0;

	must(c->n <= all->n, "%zu exchanges of %zu", c->n, all->n);
	for (size_t i = 0; i < c->n; i++) {
		must_be_same(buf_span(&c->path[i]->id), buf_span(&all->path[all->n - c->n + i]->id), "an exchange");
		must(c->path[i]->at == all->path[all->n - c->n + i]->at, "its line");
		read += c->path[i]->status == STATUS_COMPLETE;
	}
	must(c->partial || c->n == all->n, "all of it was read");
	index_add_record(&row, "s", a);
	index_add_record(&want, "s", b);
	must_be_same(buf_span(&row), buf_span(&want), "its record in the index");
	buf_release(&row);
	buf_release(&want);
	must(!c->summary == !all->summary, "a summary, or none");
	if (c->summary)
		must_be_same(c->summary->text, all->summary->text, "the summary");
	if (c->partial)
		must(c->unread + read == b->exchange_count && c->unread_summed <= c->unread,
		     "%" PRId64 " were not read, of which %" PRId64 " are summed up", c->unread, c->unread_summed);
}

static void check_again(const struct session *x, const struct store *s)
{
	struct session whole = SESSION_INIT;
	struct err e = ERR_INIT;

	must(session_read(&whole, s, "s", NULL, &e) == 0, "%s", e.msg);
	must_agree(x, &whole);
	session_release(&whole);
}

static void append(struct session *x, size_t what, size_t n)
{
	const struct exchange *last = conversation_last(&x->conversation);
	char id[32];
	const struct exchange one = { .id = { id, (size_t)snprintf(id, sizeof(id), "new %zu", n) },
		                      .has_parent = true, .parent = last ? last->id : (struct span){ NULL, 0 },
		                      .query = span_str("q"), .answer = span_str("a"), .model = span_str("new"),
		                      .timestamp = conversation_now(&x->conversation), .duration = 4,
		                      .status = (enum status)(n % 3), .usage = { 1, 2, 3, -1, -1, -1, -1 } };
	const struct summary sum = { .id = one.id, .timestamp = one.timestamp, .up_to = one.parent,
		                     .text = span_str("text"), .model = span_str("m"), .usage = USAGE_NONE };
	struct change change = CHANGE_INIT;
	struct err e = ERR_INIT;
	int r = 0;

	change.title = span_str("new");
	if (what == 0)
		r = session_append_change(x, change, &e);
	else if (what == 1 && last)
		r = session_append_summary(x, &sum, &e);
	else if (what == 2)
		r = session_append_rewind(x, last && last->has_parent ? last->parent : (struct span){ NULL, 0 }, &e);
	else
		r = session_append_exchange(x, &one, NULL, NULL, &e);
	must(r == 0, "%s", e.msg);
}

static void check_session(const struct store *s, uint64_t state)
{
	const struct history_want want = { .last = 1 + rnd_below(&state, 3) };
	const struct lock_wait now = { .no_wait = true, .stop_fd = -1 };
	struct session x = SESSION_INIT, other = SESSION_INIT;
	struct err e = ERR_INIT;

	must(session_read(&other, s, "s", &want, &e) == 0, "%s", e.msg);
	check_again(&other, s);
	must(session_lock(&x, s, "s", &now, &want, &e) == 0, "%s", e.msg);
	for (size_t n = 0; n < 4; n++) {
		append(&x, rnd_below(&state, 7), n);
		check_again(&x, s);
	}
	session_unlock(&x);
	must(session_read(&other, s, "s", &want, &e) == 0, "%s", e.msg);
	check_again(&other, s);
	session_release(&other);
	session_release(&x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = { (const char *)data, size };
	struct store s = { .stop_fd = -1, .notice = notice };
	struct session x = SESSION_INIT;
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	make_place();
	must(store_open(&s, place, false, &e) == 0, "%s", e.msg);
	add_history(&b, input);
	write_history(&s, buf_span(&b));
	if (session_read(&x, &s, "s", NULL, &e) == 0) {
		must(index_append(&s, "s", &x.conversation.info, &e) == 0, "%s", e.msg);
		check_session(&s, hash_of(input));
	}
	session_release(&x);
	store_close(&s);
	buf_release(&b);
	return 0;
}
