#include "store/spool.h"

#include "base/utf8.h"
#include "data.h"
#include "tap.h"
#include "temp.h"

static int dir;

static struct exchange prompt(const char *query)
{
	return (struct exchange){ .id = span_str("u1"), .timestamp = 1234, .query = span_str(query),
		                  .model = span_str("m/1") };
}

static void test_life(void)
{
	struct exchange x = prompt("a\n\"q\" é"), back;
	struct err e = ERR_INIT;
	struct spool sp;
	struct stat st;
	int fd;

	is_int(spool_read(&sp, dir, &back, &e), 0, "there is none");
	spool_release(&sp);
	umask(0); /* the mode is the store's own */
	fd = spool_begin(dir, &x, 0, &e);
	umask(077);
	ok(fd >= 0, "begun");
	stat(SPOOL_FILE, &st);
	is_int(st.st_mode & 0777, 0600, "readable by its owner only");
	is_int(spool_read(&sp, dir, &back, &e), 1, "read before the reply came");
	is_span(back.id, "u1", "id");
	is_int(back.timestamp, 1234, "timestamp");
	is_span(back.query, "a\n\"q\" é", "query");
	is_span(back.model, "m/1", "model");
	is_span(back.answer, "", "no answer");
	is_int(back.status, STATUS_INTERRUPTED, "interrupted");
	is_int(back.duration, -1, "of unknown duration");
	ok(!usage_known(&back.usage), "and usage");
	spool_release(&sp);
	is_int(spool_add(fd, span_str("Hel"), &e), 0, "a piece");
	is_int(spool_add(fd, span_str(""), &e), 0, "an empty piece");
	is_int(spool_add(fd, ((struct span){ "lo\n\n\0x", 6 }), &e), 0, "another");
	is_int(spool_read(&sp, dir, &back, &e), 1, "read again");
	is_bytes(back.answer, "Hello\n\n\0x", 9, "the answer as far as it came");
	spool_release(&sp);
	close(fd);
	is_int(spool_begin(dir, &x, 0, &e), -1, "a spool that is there is not overwritten");
	is_err(&e, ERR_FAILED, "turn.partial", "says so");
	spool_remove(dir);
	ok(access(SPOOL_FILE, F_OK) != 0, "removed");
	spool_remove(dir);
}

/* Where the exchange belongs in the tree, and which request of the turn this is. */
static void test_place(void)
{
	static const struct {
		bool has_parent;
		const char *parent, *replaces, *head;
		int64_t step;
	} cases[] = {
		{ true, "p1", NULL, "{\"type\":\"exchange\",\"id\":\"u1\",\"parent\":\"p1\",\"n\":0,", 0 },
		{ true, NULL, NULL, "{\"type\":\"exchange\",\"id\":\"u1\",\"parent\":null,\"n\":1,", 1 },
		{ true, "p1", "r1", "{\"type\":\"exchange\",\"id\":\"u1\",\"parent\":\"p1\",\"replaces\":\"r1\",\"n\":7,", 7 },
		{ false, NULL, NULL, "{\"type\":\"exchange\",\"id\":\"u1\",\"n\":0,", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exchange x = prompt("q"), back;
		struct buf text = BUF_INIT;
		struct err e = ERR_INIT;
		struct spool sp;

		x.has_parent = cases[i].has_parent;
		x.parent = cases[i].parent ? span_str(cases[i].parent) : (struct span){ NULL, 0 };
		x.replaces = cases[i].replaces ? span_str(cases[i].replaces) : (struct span){ NULL, 0 };
		close(spool_begin(dir, &x, cases[i].step, &e));
		temp_read(SPOOL_FILE, &text);
		is_span(((struct span){ text.p, strlen(cases[i].head) }), cases[i].head, "place %zu as it is written", i);
		is_int(spool_read(&sp, dir, &back, &e), 1, "and read");
		is_int(back.has_parent, x.has_parent, "whether it says what it follows");
		ok(!back.parent.p == !x.parent.p && !back.replaces.p == !x.replaces.p, "null is not an empty id");
		is_same(back.parent, x.parent, "its parent");
		is_same(back.replaces, x.replaces, "what it replaces");
		is_int(sp.step, cases[i].step, "the step");
		spool_release(&sp);
		if (text.n && ok(text.p[text.n - 1] == '\n', "one line")) {
			is_int(spool_head(&sp, (struct span){ text.p, text.n - 1 }, &back, &e), 0, "alone it is read, too");
			is_same(back.parent, x.parent, "with its parent");
			is_int(sp.step, cases[i].step, "and the step");
			ok(!back.answer.p, "and without an answer");
			spool_release(&sp);
		}
		spool_remove(dir);
		buf_release(&text);
	}
}

/* What the prompt came with is known when the turn is cut short. */
static void test_attachments(void)
{
	const struct attachment_ref files[] = {
		{ span_str("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"),
		  span_str("a b.png"), span_str("image/png"), 5 },
		{ span_str("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
		  span_str("\"\n"), span_str("text/plain"), 0 },
	};
	struct exchange x = prompt("q"), back;
	struct err e = ERR_INIT;
	struct spool sp;
	int fd;

	x.attachments = files;
	x.nattachments = 2;
	fd = spool_begin(dir, &x, 0, &e);
	spool_add(fd, span_str("Hel"), &e);
	close(fd);
	is_int(spool_read(&sp, dir, &back, &e), 1, "read");
	if (is_int((int64_t)back.nattachments, 2, "with both files"))
		for (size_t i = 0; i < 2; i++) {
			is_same(back.attachments[i].sha256, files[i].sha256, "sha256");
			is_same(back.attachments[i].name, files[i].name, "name");
			is_same(back.attachments[i].type, files[i].type, "type");
			is_int(back.attachments[i].size, files[i].size, "size");
		}
	is_span(back.answer, "Hel", "and the answer");
	spool_release(&sp);
	spool_remove(dir);
}

static void is_damaged(const char *text, const char *why)
{
	struct err e = ERR_INIT;
	struct exchange x;
	struct spool sp;

	temp_write(SPOOL_FILE, span_str(text));
	is_int(spool_read(&sp, dir, &x, &e), -1, "cannot be read: '%.20s'", text);
	is_err(&e, ERR_DAMAGED, why, "says why");
	spool_release(&sp);
}

static void test_damage(void)
{
	is_damaged("", "its first line breaks off");
	is_damaged("{\"type\":\"exchange\",\"id\":\"u\",\"timest", "its first line breaks off");
	is_damaged("\nanswer", "");
	is_damaged("{}\nanswer", "its first line is not an exchange");
	is_damaged("{\"id\":\"u\"}\nanswer", "its first line is not an exchange");
	is_damaged("{\"timestamp\":1}\nanswer", "its first line is not an exchange");
	is_damaged("{\"id\":\"u\",\"timestamp\":\"x\"}\n", "'timestamp' must be a whole number");
	is_damaged("{\"id\":\"u\",\"timestamp\":1,\"attachments\":[{\"sha256\":\"x\"}]}\n",
	           "'attachments' 1");
	is_damaged("{\"id\":\"u\",\"timestamp\":1,\"parent\":7}\n", "'parent' must be a string");
	is_damaged("{\"id\":\"u\",\"timestamp\":1,\"replaces\":{}}\n", "'replaces' must be a string");
	is_damaged("{\"id\":\"u\",\"timestamp\":1,\"n\":\"x\"}\n", "'n' must be a whole number");
	is_damaged("[]\n", "");
	is_damaged("{\"id\":\"u\",\"timestamp\":1,\n", "");
	unlink(SPOOL_FILE);
}

static void test_not_a_file(void)
{
	struct err e = ERR_INIT;
	struct exchange x;
	struct spool sp;

	mkdir(SPOOL_FILE, 0700);
	is_int(spool_read(&sp, dir, &x, &e), -1, "a folder of that name");
	spool_release(&sp);
	rmdir(SPOOL_FILE);
	err_clear(&e);
	if (symlink("elsewhere", SPOOL_FILE) == 0) {
		temp_write("elsewhere", span_str("{\"id\":\"u\",\"timestamp\":1}\n"));
		is_int(spool_read(&sp, dir, &x, &e), -1, "a link is not followed");
		spool_release(&sp);
		unlink(SPOOL_FILE);
	}
}

/* A crash cuts the file anywhere. */
static void test_cut_anywhere(void)
{
	static const char answer[] = "Grüße 漢字 😀!";
	struct exchange x = prompt("q"), back;
	struct buf whole = BUF_INIT;
	struct err e = ERR_INIT;
	size_t head;
	int bad = 0;
	int fd = spool_begin(dir, &x, 0, &e);

	temp_read(SPOOL_FILE, &whole);
	head = whole.n;
	spool_add(fd, span_str(answer), &e);
	close(fd);
	buf_adds(&whole, answer);
	for (size_t n = 0; n <= whole.n; n++) {
		struct buf want = BUF_INIT;
		struct spool sp;
		int got;

		temp_write(SPOOL_FILE, (struct span){ whole.p, n });
		err_clear(&e);
		got = spool_read(&sp, dir, &back, &e);
		bad += got != (n < head ? -1 : 1);
		if (got > 0) {
			utf8_add_clean(&want, (struct span){ whole.p + head, n - head });
			bad += want.n != back.answer.n || memcmp(want.p, back.answer.p, want.n) != 0;
		}
		spool_release(&sp);
		buf_release(&want);
	}
	is_int(bad, 0, "cut at each byte, it gives what is there, or says that it cannot");
	spool_remove(dir);
	buf_release(&whole);
}

/* A large reply, in pieces of any size. */
static void test_large(void)
{
	struct exchange x = prompt("q"), back;
	struct buf want = BUF_INIT;
	struct err e = ERR_INIT;
	uint64_t seed = 12;
	struct spool sp;
	int fd = spool_begin(dir, &x, 0, &e), failed = 0;

	while (want.n < 300000) {
		size_t from = want.n, n = 1 + rnd_below(&seed, 5000);

		for (size_t i = 0; i < n; i++)
			buf_addc(&want, (char)(' ' + rnd_below(&seed, 90)));
		failed += spool_add(fd, (struct span){ want.p + from, n }, &e) < 0;
	}
	close(fd);
	is_int(failed, 0, "many pieces");
	is_int(spool_read(&sp, dir, &back, &e), 1, "are read");
	is_same(back.answer, buf_span(&want), "whole");
	spool_release(&sp);
	buf_release(&want);
	spool_remove(dir);
}

static void test_full(void)
{
	struct err e = ERR_INIT;
	int fd = open("/dev/full", O_WRONLY);

	is_int(spool_add(fd, span_str("x"), &e), -1, "a full disk");
	is_err(&e, ERR_FAILED, "cannot store the reply as it arrives: No space left", "says so");
	close(fd);
}

int main(void)
{
	temp_enter();
	dir = open(".", O_RDONLY | O_DIRECTORY);
	test_life();
	test_place();
	test_attachments();
	test_damage();
	test_not_a_file();
	test_cut_anywhere();
	test_large();
	test_full();
	return tap_end();
}
