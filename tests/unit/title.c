#include "turn/title.h"

#include "data.h"
#include "tap.h"

static const struct {
	const char *reply, *want;
} cases[] = {
	{ "Tea at noon", "Tea at noon" },
	{ "\n \t\r\n  Tea at noon \n\nAs you wished.", "Tea at noon" },
	{ "\"Tea at noon\"", "Tea at noon" },
	{ "**Tea at noon**", "Tea at noon" },
	{ "# Tea at noon.", "Tea at noon" },
	{ "“Tee am Mittag”", "Tee am Mittag" },
	{ "「お茶の時間」", "お茶の時間" },
	{ "Title: Tea at noon", "Tea at noon" },
	{ "**Title:** \"Tea at noon\"", "Tea at noon" },
	{ "title:Tea", "Tea" },
	{ "Titles: a study", "Titles: a study" },
	{ "Title:", "Title:" },
	{ "Tea\tat \r  noon", "Tea at noon" },
	{ "Wait…", "Wait…" },
	{ "Wait...", "Wait..." },
	{ "What is C#?", "What is C#?" },
	{ "a\033]52;c;Zm9v\ab", "a]52;c;Zm9vb" },
	{ "caf\xe9", "caf\xef\xbf\xbd" },
	{ "", "" },
	{ "\"\"\n", "" },
	{ "...", "..." },
	{ "*", "" },
	{ "**_`", "" },
};

int main(void)
{
	struct buf title = BUF_INIT, longest = BUF_INIT;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span reply = exact(span_str(cases[i].reply));

		buf_clear(&title);
		title_clean(&title, reply);
		is_buf(&title, cases[i].want, "the title in '%s'", cases[i].reply);
		drop(reply);
	}
	for (int i = 0; i < 200; i++)
		buf_adds(&longest, "é");
	buf_clear(&title);
	title_clean(&title, buf_span(&longest));
	is_int((int64_t)title.n, 2 * TITLE_MAX, "a long one is cut between characters");
	buf_release(&title);
	buf_release(&longest);
	return tap_end();
}
