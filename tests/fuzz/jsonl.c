/*
 * lib/store/jsonl. The input is a file.
 *
 * Properties: the mapping ends with the last newline; the lines read forwards are
 * those that a plain search for newlines finds, and so is each one's number; the lines
 * read backwards are the same. What is appended is a line of its own behind all
 * that was there, and healing adds no more than a newline that was missing.
 */
#include "store/jsonl.h"

#include <fcntl.h>

#include "fuzz.h"

static void check_lines(const struct jsonl *j)
{
	struct span rest = { j->p, j->n }, want, line;
	size_t at = 0, number = 1;

	for (size_t start = 0; cut_line(&rest, &want); start = at, number++) {
		size_t back = start + want.n + 1;

		must(jsonl_line_number(j, start) == number, "of the line at %zu", start);
		must(jsonl_next(j, &at, &line), "line %zu", number);
		must(line.p == want.p && line.n == want.n, "line %zu forwards", number);
		must(at == back, "line %zu", number);
		must(jsonl_prev(j, &back, &line), "line %zu", number);
		must(line.p == want.p && line.n == want.n && back == start, "line %zu backwards", number);
	}
	must(!jsonl_next(j, &at, &line), "a line behind the last");
	must(at == j->n, "all was read");
	for (at = j->n; jsonl_prev(j, &at, &line); number--)
		;
	must(at == 0 && number == 1, "as many lines backwards as forwards");
}

/* Without room behind it, so that a sanitizer sees a read that goes too far. */
static void check_exact(struct span text, size_t n)
{
	struct span lines = exact((struct span){ text.p, n });

	check_lines(&(struct jsonl){ lines.p, lines.n, lines.n });
	drop(lines);
}

static void check_file(int fd, struct span want)
{
	struct err e = ERR_INIT;
	struct jsonl j;

	must(jsonl_map(&j, fd, &e) == 0, "%s", e.msg);
	must(j.mapped == want.n, "%zu bytes instead of %zu", j.mapped, want.n);
	must(want.n == 0 || memcmp(j.p, want.p, want.n) == 0, "the file's bytes");
	jsonl_unmap(&j);
}

static void check_append(struct span text, bool heal_first)
{
	const struct span record = span_str("{\"appended\":true}\n");
	struct buf want = BUF_INIT;
	struct err e = ERR_INIT;
	int fd = file_of(text);

	must(fcntl(fd, F_SETFL, O_APPEND) == 0, "O_APPEND");
	buf_add(&want, text.p, text.n);
	if (text.n && text.p[text.n - 1] != '\n')
		buf_addc(&want, '\n');
	if (heal_first) {
		must(jsonl_heal(fd, &e) == 0, "%s", e.msg);
		check_file(fd, buf_span(&want));
	}
	must(jsonl_append(fd, record, false, &e) == 0, "%s", e.msg);
	buf_add(&want, record.p, record.n);
	check_file(fd, buf_span(&want));
	buf_release(&want);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct err e = ERR_INIT;
	struct jsonl j;
	size_t n = size;
	int fd = file_of(text);

	while (n && text.p[n - 1] != '\n')
		n--;
	must(jsonl_map(&j, fd, &e) == 0, "%s", e.msg);
	must(j.n == n && j.mapped == size, "%zu of %zu", j.n, j.mapped);
	jsonl_unmap(&j);
	close(fd);
	check_exact(text, n);
	check_append(text, false);
	check_append(text, true);
	return 0;
}
