#include "markdown/entity.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "tty/neutral.h"

/* Those that occur in prose, of the two thousand that there are. */
static const struct {
	const char *name, *text;
} known[] = {
	{ "amp", "&" },       { "lt", "<" },        { "gt", ">" },        { "quot", "\"" },
	{ "apos", "'" },      { "nbsp", "\u00a0" }, { "copy", "©" },      { "reg", "®" },
	{ "trade", "™" },     { "hellip", "…" },    { "mdash", "—" },     { "ndash", "–" },
	{ "lsquo", "‘" },     { "rsquo", "’" },     { "ldquo", "“" },     { "rdquo", "”" },
	{ "laquo", "«" },     { "raquo", "»" },     { "bull", "•" },      { "middot", "·" },
	{ "times", "×" },     { "divide", "÷" },    { "plusmn", "±" },    { "deg", "°" },
	{ "micro", "µ" },     { "larr", "←" },      { "rarr", "→" },      { "uarr", "↑" },
	{ "darr", "↓" },      { "harr", "↔" },      { "le", "≤" },        { "ge", "≥" },
	{ "ne", "≠" },        { "asymp", "≈" },     { "infin", "∞" },     { "sum", "∑" },
	{ "euro", "€" },      { "pound", "£" },     { "yen", "¥" },       { "cent", "¢" },
	{ "sect", "§" },      { "para", "¶" },      { "frac12", "½" },    { "frac14", "¼" },
	{ "sup2", "²" },      { "sup3", "³" },      { "alpha", "α" },     { "beta", "β" },
	{ "pi", "π" },        { "lambda", "λ" },    { "check", "✓" },     { "shy", "\u00ad" },
};

static bool add_number(struct buf *b, struct span digits)
{
	bool hex = digits.n && (digits.p[0] | 32) == 'x';
	char text[12], *end;
	unsigned long c;
	struct buf one = BUF_INIT;

	if (digits.n >= sizeof(text))
		return false;
	memcpy(text, digits.p, digits.n);
	text[digits.n] = '\0';
	c = strtoul(text + hex, &end, hex ? 16 : 10);
	if (*end || end == text + hex)
		return false;
	if (!c || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd; /* as CommonMark has it */
	if (c == '\n') /* it ends no line of the source, and so none of ours */
		c = ' ';
	utf8_add(&one, (uint32_t)c);
	neutral_add(b, buf_span(&one));
	b->oom |= one.oom;
	buf_release(&one);
	return true;
}

void entity_add(struct buf *b, struct span entity)
{
	struct span name = { entity.p + 1, entity.n > 2 ? entity.n - 2 : 0 };

	if (name.n > 1 && name.p[0] == '#' && add_number(b, (struct span){ name.p + 1, name.n - 1 }))
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_eq(name, known[i].name)) {
			buf_adds(b, known[i].text);
			return;
		}
	buf_add(b, entity.p, entity.n);
}
