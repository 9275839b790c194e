/* Code blocks, each as "language:code" in brackets. */
#include "base/fences.h"

#include "tap.h"

static void holds(const char *text, const char *want, const char *what)
{
	struct fences f = FENCES_INIT;
	struct buf got = BUF_INIT;
	struct err e = ERR_INIT;

	is_int(fences_find(&f, span_str(text), &e), 0, "%s", what);
	for (size_t i = 0; i < f.n; i++)
		buf_addf(&got, "[%.*s:%s]", (int)f.v[i].language.n, f.v[i].language.p, f.v[i].code.p);
	is_buf(&got, want, "%s", what);
	buf_release(&got);
	fences_release(&f);
}

static void test_fences(void)
{
	holds("", "", "nothing");
	holds("some `code`, ``` and no block\n", "", "no block");
	holds("```\na\nb\n```\n", "[:a\nb\n]", "one");
	holds("x\n```sh\na\n```\ny\n~~~ python -u\nb\n~~~\n", "[sh:a\n][python:b\n]", "two, with languages");
	holds("```\n```", "[:]", "an empty one");
	holds("```\na\n\n", "[:a\n\n]", "not closed");
	holds("```\na", "[:a]", "nor its last line");
	holds("```\na\n``\n~~~\n````  \nb\n", "[:a\n``\n~~~\n]", "what closes it and what does not");
	holds("````\n```\na\n```\n````\n", "[:```\na\n```\n]", "a longer fence around a shorter");
	holds("~~~\n```\n~~~\n", "[:```\n]", "tildes around backticks");
	holds("```\n``` a\n```\n", "[:``` a\n]", "nothing but blanks behind what closes it");
	holds("``` a`b\nx\n~~~ a`b\ny\n", "[a`b:y\n]", "a backtick behind backticks");
	holds("``\na\n``\n", "", "two are no fence");
	holds("a\r\n```c\r\nint x;\r\n```\r\nb\r\n", "[c:int x;\r\n]", "lines that end as in DOS");
	holds("```\na\n    ```\n   ```\nb\n", "[:a\n    ```\n]", "three blanks may stand before one, four not");
	holds("   ```\n   a\n  b\n     c\n  ```\n", "[:a\nb\n  c\n]", "those before it are taken off");
	holds("    ```\n    a\n", "", "four make it something else");
	holds("  ```\n\ta\n  ```\n", "[:  a\n]", "a tab that is taken off in part");
	holds("```\n\ta\n```\n", "[:\ta\n]", "and one that is code");
}

static void test_boxes(void)
{
	holds("- x\n\n  ```\n  a\n\n   b\n  ```\n", "[:a\n\n b\n]", "in a list");
	holds("- ```sh\n  a\n  ```\n- ```\n  b\n", "[sh:a\n][:b\n]", "behind the mark");
	holds("10. x\n    ```\n    a\n    ```\n", "[:a\n]", "in a list with numbers");
	holds("10. x\n   ```\n   a\n   ```\n", "[:a\n]", "before its column it is behind the list");
	holds("1) x\n   - y\n\n     ```\n     a\n     ```\n", "[:a\n]", "in a list in a list");
	holds("- ```\n  a\nb\n```\nc\n", "[:a\n][:c\n]", "a block ends with its list");
	holds("-\t```\n\ta\n", "[:a\n]", "a tab behind the mark");
	holds("-     ```\n", "", "code by its blanks");
	holds("> ```\n> a\n>\n>  b\n> ```\n", "[:a\n\n b\n]", "in a quote");
	holds("> ```\n> a\nb\n```\nc\n", "[:a\n][:c\n]", "a block ends with its quote");
	holds(">```\n>a\n", "[:a\n]", "a quote without blanks");
	holds("> - ```\n>   a\n>   ```\n", "[:a\n]", "in a list in a quote");
	holds("- > ```\n  > a\n  > ```\n", "[:a\n]", "in a quote in a list");
	holds("- - -\n  ```\n  a\n  ```\n", "[:a\n]", "a rule is no list");
	holds("-x\n  ```\n a\n  ```\n", "[:a\n]", "a dash is none");
	holds("1234567890. x\n\n            ```\n", "", "nor a number that is too long");
	holds("- x\n\n\n\n  ```\n  a\n", "[:a\n]", "empty lines are in the list");
	holds("- ```\n  a\n \n  b\n", "[:a\n\nb\n]", "and in its block");
}

static void test_hostile(void)
{
	struct buf b = BUF_INIT;
	struct fences f = FENCES_INIT;
	struct err e = ERR_INIT;

	for (int i = 0; i < 100000; i++)
		buf_adds(&b, "> ");
	buf_adds(&b, "```\n");
	is_int(fences_find(&f, buf_span(&b), &e), 0, "very deep quotes");
	is_int((int64_t)f.n, 0, "are text");
	buf_clear(&b);
	for (int i = 0; i < 50000; i++)
		buf_adds(&b, "```\n```\n");
	is_int(fences_find(&f, buf_span(&b), &e), 0, "very many blocks");
	is_int((int64_t)f.n, 50000, "are all there");
	fences_release(&f);
	is_int(fences_find(&f, (struct span){ "```\n\0\0\0\n", 8 }, &e), 0, "NUL characters");
	is_bytes(buf_span(&f.v[0].code), "\0\0\0\n", 4, "are code");
	fences_release(&f);
	buf_release(&b);
}

int main(void)
{
	test_fences();
	test_boxes();
	test_hostile();
	return tap_end();
}
