#include "prompt/edit-text.h"

#include "data.h"
#include "tap.h"

static enum edit_enter enter(const char *text)
{
	struct span copy = exact(span_str(text));
	enum edit_enter r = edit_text_enter(copy);

	drop(copy);
	return r;
}

static void test_enter(void)
{
	static const struct {
		const char *text;
		enum edit_enter want;
	} t[] = {
		{ "", EDIT_ENDS },
		{ "one", EDIT_ENDS },
		{ "one\\", EDIT_BACKSLASH },
		{ "\\", EDIT_BACKSLASH },
		{ "one\\\\", EDIT_ENDS },
		{ "one\\\\\\", EDIT_BACKSLASH },
		{ "one\\ ", EDIT_ENDS },
		{ "one\\\ntwo", EDIT_ENDS },
		{ "one\ntwo\\", EDIT_BACKSLASH },
		{ "\"", EDIT_ENDS },
		{ "\"\"", EDIT_ENDS },
		{ "\"\"\"", EDIT_QUOTED },
		{ "\"\"\"one", EDIT_QUOTED },
		{ "\"\"\"one\\", EDIT_QUOTED },
		{ "\"\"\"one\"\"\"", EDIT_ENDS },
		{ "\"\"\"one\\\"\"\"", EDIT_ENDS },
		{ "\"\"\"\none\n\"\"\"", EDIT_ENDS },
		{ "\"\"\"\none\n\"\"", EDIT_QUOTED },
		{ "\"\"\"\"\"\"", EDIT_ENDS },
		{ "\"\"\"\"\"", EDIT_QUOTED },
		{ "\"\"\"\ndef f():\n  \"\"\"Doc.\"\"\"", EDIT_QUOTED }, /* code has pairs of them */
		{ "\"\"\"\ndef f():\n  \"\"\"Doc.\"\"\"\n\"\"\"", EDIT_ENDS },
		{ "\"\"\"Doc.\"\"\"\nimport x", EDIT_ENDS },
		{ " \"\"\"", EDIT_ENDS }, /* not at the beginning */
		{ "say \"\"\"", EDIT_ENDS },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_int(enter(t[i].text), t[i].want, "Enter in text %zu", i);
}

static void test_prompt(void)
{
	static const struct {
		const char *text, *want;
		bool quoted;
	} t[] = {
		{ "", "", false },
		{ "one", "one", false },
		{ "one\n\n", "one", false },
		{ " one ", " one ", false },
		{ "one\ntwo\n", "one\ntwo", false },
		{ "\"\"\"one\"\"\"", "one", true },
		{ "\"\"\"\none\n\"\"\"", "one", true },
		{ "\"\"\"\n\n one \n\n\"\"\" \n", "\n one ", true },
		{ "\"\"\"one\ntwo\"\"\"", "one\ntwo", true },
		{ "\"\"\"\"\"\"", "", true },
		{ "\"\"\"/exit\"\"\"", "/exit", true },
		{ "\"\"\"\n\"\"\"Doc.\"\"\"\n\"\"\"", "\"\"\"Doc.\"\"\"", true },
		{ "\"\"\"Doc.\"\"\"\nimport x", "\"\"\"Doc.\"\"\"\nimport x", false },
		{ "\"\"\"open", "\"\"\"open", false },
		{ "\"\"\"", "\"\"\"", false },
		{ "\"\"\"\"\"", "\"\"\"\"\"", false },
		{ "say \"\"\"x\"\"\"", "say \"\"\"x\"\"\"", false },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct span copy = exact(span_str(t[i].text));
		bool quoted = !t[i].quoted;

		is_span(edit_text_prompt(copy, &quoted), t[i].want, "the prompt of text %zu", i);
		is_int(quoted, t[i].quoted, "whether text %zu was quoted", i);
		drop(copy);
	}
}

int main(void)
{
	test_enter();
	test_prompt();
	return tap_end();
}
