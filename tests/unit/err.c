#include "base/err.h"

#include <errno.h>

#include "tap.h"

static void test_first_cause(void)
{
	struct err e = ERR_INIT;

	is_int(err_set(&e, ERR_USAGE, "first %d", 1), -1, "err_set returns -1");
	is_int(err_set(&e, ERR_FAILED, "second"), -1, "again");
	is_err(&e, ERR_USAGE, "first 1", "the first cause wins");
	is_int(err_sys(&e, ENOENT, "third"), -1, "err_sys returns -1");
	is_int(err_oom(&e), -1, "err_oom returns -1");
	is_str(e.msg, "first 1", "none of them alters it");
	is_int(err_prefix(&e, "in '%s'", "x"), -1, "err_prefix returns -1");
	is_str(e.msg, "in 'x': first 1", "a prefix comes before");
	is_int(e.kind, ERR_USAGE, "and leaves the kind");
	err_clear(&e);
	ok(e.kind == ERR_NONE && !e.msg[0], "cleared");
	err_sys(&e, ENOENT, "cannot open '%s'", "y");
	is_str(e.msg, "cannot open 'y': No such file or directory", "with the system's words");
	is_int(e.kind, ERR_FAILED, "of the general kind");
}

static void test_long_messages(void)
{
	struct err e = ERR_INIT;
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_sys(&e, ENOENT, "%s", text);
	is_int((int64_t)strlen(e.msg), sizeof(e.msg) - 1, "a long message is cut, not overrun");
	err_prefix(&e, "%s", text);
	is_int((int64_t)strlen(e.msg), sizeof(e.msg) - 1, "so is one with a long prefix");
}

int main(void)
{
	test_first_cause();
	test_long_messages();
	return tap_end();
}
