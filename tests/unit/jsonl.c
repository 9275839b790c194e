#include "store/jsonl.h"

#include "base/io.h"

#include "data.h"
#include "tap.h"
#include "temp.h"

/* Maps the file "f" with this text. */
static struct jsonl map_text(struct span text)
{
	struct err e = ERR_INIT;
	struct jsonl j;
	int fd;

	temp_write("f", text);
	fd = open("f", O_RDONLY);
	if (jsonl_map(&j, fd, &e) < 0)
		tap_note("%s", e.msg);
	close(fd);
	return j;
}

static void test_lines(void)
{
	static const struct {
		const char *text;
		const char *lines[4];
	} cases[] = {
		{ "", { NULL } },
		{ "torn", { NULL } },
		{ "\n", { "", NULL } },
		{ "a\n", { "a", NULL } },
		{ "a\nb\n", { "a", "b", NULL } },
		{ "a\nb", { "a", NULL } },
		{ "\n\n", { "", "", NULL } },
		{ "a\n\nb\ntorn", { "a", "", "b", NULL } },
		{ "a\r\n", { "a\r", NULL } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct jsonl j = map_text(span_str(cases[i].text));
		struct jsonl_count count = JSONL_COUNT_INIT;
		struct span line;
		size_t at = 0, n = 0, offset = 0;

		for (; cases[i].lines[n]; n++) {
			is_int((int64_t)jsonl_line_number(&j, at), (int64_t)n + 1, "case %zu, line %zu", i, n + 1);
			is_int((int64_t)jsonl_count(&j, &count, at), (int64_t)n + 1, "counted on");
			ok(jsonl_next(&j, &at, &line), "there");
			is_span(line, cases[i].lines[n], "forwards");
			offset += line.n + 1;
			is_int((int64_t)at, (int64_t)offset, "up to where it ends");
		}
		ok(!jsonl_next(&j, &at, &line), "case %zu, no line more", i);
		is_int((int64_t)j.n, (int64_t)offset, "a torn tail is left out");
		is_int((int64_t)j.mapped, (int64_t)strlen(cases[i].text), "the size of the file");
		for (at = j.n; n--;) {
			ok(jsonl_prev(&j, &at, &line), "there");
			is_span(line, cases[i].lines[n], "backwards");
			offset -= line.n + 1;
			is_int((int64_t)at, (int64_t)offset, "to where it begins");
			is_int((int64_t)jsonl_count(&j, &count, at), (int64_t)n + 1, "counted back");
		}
		ok(!jsonl_prev(&j, &at, &line), "case %zu, no line before", i);
		jsonl_unmap(&j);
		ok(!j.n && !j.mapped, "unmapped");
	}
}

/* Random files: what is read backwards is what was read forwards. */
static void test_both_ways(void)
{
	uint64_t seed = 7;
	int bad = 0;

	for (int i = 0; i < 300; i++) {
		size_t starts[600], n = 0, at = 0;
		struct buf b = BUF_INIT;
		struct span line;
		struct jsonl j;

		for (size_t k = rnd_below(&seed, 500); k; k--)
			buf_addc(&b, "\n\nab"[rnd_below(&seed, 4)]);
		if (i == 0) /* the last line ends with the page */
			for (b.n = 0; b.n < 4096;)
				buf_addc(&b, b.n % 16 == 15 ? '\n' : 'x');
		j = map_text(buf_span(&b));
		for (size_t start = 0; jsonl_next(&j, &at, &line); start = at, n++) {
			starts[n] = start;
			bad += memchr(line.p, '\n', line.n) != NULL || j.p[at - 1] != '\n';
		}
		bad += at != j.n;
		while (jsonl_prev(&j, &at, &line)) {
			n--;
			bad += at != starts[n] || line.p != j.p + at || line.p[line.n] != '\n';
			bad += i % 20 == 0 && jsonl_line_number(&j, at) != n + 1;
		}
		bad += n != 0 || at != 0;
		jsonl_unmap(&j);
		buf_release(&b);
	}
	is_int(bad, 0, "300 random files, the same lines both ways");
}

static void append_to(const char *before, const char *record, const char *want, bool sync)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT;
	int fd;

	temp_write("f", span_str(before));
	fd = open("f", O_RDWR | O_APPEND);
	is_int(jsonl_append(fd, span_str(record), sync, &e), 0, "appended");
	close(fd);
	temp_read("f", &b);
	is_buf(&b, want, "what is in the file then");
	buf_release(&b);
}

static void test_append(void)
{
	append_to("", "{}\n", "{}\n", true);
	append_to("{}\n", "{\"a\":1}\n", "{}\n{\"a\":1}\n", true);
	append_to("{}\n{\"to", "{\"a\":1}\n", "{}\n{\"to\n{\"a\":1}\n", true);
	append_to("torn", "{}\n", "torn\n{}\n", false);
	append_to("\n", "{}\n", "\n{}\n", false);
}

/* Each string is longer than the pieces in which it is written. */
static void test_append_gaps(void)
{
	enum { N = 200001 };
	char *text = malloc(N);
	struct buf whole = BUF_INIT, seen = BUF_INIT;
	struct span large = { text, N }, small = span_str("{\"a\":\"\",\"b\":1,\"c\":\"\"}\n");
	const struct json_gap gaps[] = { { 6, large }, { 19, { text + 1, N - 7 } } };
	struct err e = ERR_INIT;
	int fd;

	for (size_t i = 0; i < N; i++)
		text[i] = i % 7 ? (char)(i % 127) : "\"\\\n\001x"[i % 5];
	buf_adds(&whole, "torn\n{\"a\":");
	json_add_str(&whole, large);
	buf_adds(&whole, ",\"b\":1,\"c\":");
	json_add_str(&whole, gaps[1].s);
	buf_adds(&whole, "}\n");
	temp_write("f", span_str("torn"));
	fd = open("f", O_RDWR | O_APPEND);
	is_int(jsonl_append_gaps(fd, small, gaps, 2, true, &e), 0, "a record with gaps");
	lseek(fd, 0, SEEK_SET);
	io_read_all(fd, &seen, 10 * N);
	ok(seen.n == whole.n && memcmp(seen.p, whole.p, seen.n) == 0, "is as if it had none");
	is_int(jsonl_append_gaps(fd, span_str("{}\n"), NULL, 0, true, &e), 0, "and one without");
	close(fd);
	fd = open("/dev/full", O_RDWR);
	is_int(jsonl_append_gaps(fd, small, gaps, 2, true, &e), -1, "no room");
	is_err(&e, ERR_FAILED, "No space left on device", "says so");
	close(fd);
	buf_release(&whole);
	buf_release(&seen);
	free(text);
}

static void test_append_fails(void)
{
	struct err e = ERR_INIT;
	int fd;

	temp_write("f", span_str("x\n"));
	fd = open("f", O_RDONLY);
	is_int(jsonl_append(fd, span_str("{}\n"), true, &e), -1, "a file that cannot be written");
	is_err(&e, ERR_FAILED, "cannot write", "says so");
	close(fd);
	err_clear(&e);
	is_int(jsonl_append(-1, span_str("{}\n"), true, &e), -1, "no file");
	err_clear(&e);
	fd = open("/dev/full", O_RDWR);
	is_int(jsonl_append(fd, span_str("{}\n"), false, &e), -1, "no room");
	is_err(&e, ERR_FAILED, "No space left on device", "says so");
	close(fd);
}

static void test_map_fails(void)
{
	struct err e = ERR_INIT;
	struct jsonl j;
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	is_int(jsonl_map(&j, fd, &e), -1, "a directory");
	is_err(&e, ERR_FAILED, "not a regular file", "says so");
	close(fd);
	jsonl_unmap(&j);
	err_clear(&e);
	is_int(jsonl_map(&j, -1, &e), -1, "no file");
	jsonl_unmap(&j);
}

/* A mapping stays good while the file grows. */
static void test_growing(void)
{
	struct jsonl j = map_text(span_str("{\"n\":1}\n{\"n\""));
	struct err e = ERR_INIT;
	struct span line;
	size_t at = 0;
	int fd = open("f", O_RDWR | O_APPEND);

	jsonl_append(fd, span_str("{\"n\":2}\n"), true, &e);
	close(fd);
	jsonl_next(&j, &at, &line);
	is_span(line, "{\"n\":1}", "the line that was there");
	ok(!jsonl_next(&j, &at, &line), "and no other");
	jsonl_unmap(&j);
}

int main(void)
{
	temp_enter();
	test_lines();
	test_both_ways();
	test_append();
	test_append_gaps();
	test_append_fails();
	test_map_fails();
	test_growing();
	return tap_end();
}
