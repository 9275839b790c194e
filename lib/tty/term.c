#include "tty/term.h"

#include <locale.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <wchar.h>

#include "base/utf8.h"

size_t term_columns(int fd)
{
	struct winsize w;
	const char *env = getenv("COLUMNS");
	long n;

	if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		return w.ws_col;
	n = env ? strtol(env, NULL, 10) : 0;
	return n > 0 && n < 10000 ? (size_t)n : 80;
}

void term_size(int fd, size_t *rows, size_t *columns)
{
	struct winsize w = { 0 };
	const char *env = getenv("LINES");
	long n = env ? strtol(env, NULL, 10) : 0;

	*columns = term_columns(fd);
	*rows = n > 0 && n < 10000 ? (size_t)n : 24;
	if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_row > 0)
		*rows = w.ws_row;
}

/* wcwidth() needs a locale that knows more than ASCII, whatever the user's is: our
 * text is UTF-8. Costs a file or two, so only those pay who print a table. */
static void know_widths(void)
{
	static const char *const names[] = { "C.UTF-8", "en_US.UTF-8", "UTF-8" };

	if (MB_CUR_MAX > 1)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (setlocale(LC_CTYPE, names[i]))
			return;
}

static size_t columns_of(uint32_t c)
{
	int w = wcwidth((wchar_t)c);

	return w < 0 ? 1 : (size_t)w;
}

/* How many bytes of `text` fit; *used is how many columns they take. */
static size_t fit(struct span text, size_t columns, size_t *used)
{
	size_t i = 0;

	*used = 0;
	while (i < text.n) {
		uint32_t c = 0;
		int len = utf8_decode(text.p + i, text.n - i, &c);
		size_t w = len > 0 ? columns_of(c) : 1;

		if (*used + w > columns)
			break;
		*used += w;
		i += len > 0 ? (size_t)len : 1;
	}
	return i;
}

size_t term_width(struct span text)
{
	size_t used;

	know_widths();
	fit(text, SIZE_MAX / 2, &used);
	return used;
}

void term_wrap(struct buf *b, size_t columns)
{
	size_t at = 0;

	while (at < b->n) {
		struct span rest = { b->p + at, b->n - at };
		size_t used, n = term_fit(rest, columns, &used), end = n;

		if (n == rest.n)
			return;
		while (end && rest.p[end] != ' ')
			end--;
		for (end = end ? end : n; end < rest.n && rest.p[end] != ' '; end++)
			;
		if (end == rest.n)
			return;
		b->p[at + end] = '\n';
		at += end + 1;
	}
}

size_t term_fit(struct span text, size_t columns, size_t *used)
{
	know_widths();
	return fit(text, columns, used);
}

size_t term_char_width(uint32_t c)
{
	if (c >= 0x20 && c < 0x7f)
		return 1;
	know_widths();
	return columns_of(c);
}

void term_add_fit(struct buf *b, struct span text, size_t columns, bool pad)
{
	size_t used, n;

	know_widths();
	n = fit(text, columns, &used);
	if (n < text.n && columns) {
		n = fit(text, columns - 1, &used);
		buf_add(b, text.p, n);
		buf_adds(b, "…");
		used++;
	} else {
		buf_add(b, text.p, n);
	}
	for (; pad && used < columns; used++)
		buf_addc(b, ' ');
}
