/*
 * lib/store/id. The input is what a user may give as an id.
 *
 * Properties: the ids are those of mc-session(5)'s pattern, which the C library's
 * regular expressions decide here, but for the two reserved names; an id is a plain
 * file name. Both functions agree, and a refusal is one of usage and has a reason.
 */
#include "store/id.h"

#include <regex.h>

#include "fuzz.h"

static bool model_valid(const char *id)
{
	static regex_t pattern;
	static bool compiled;

	if (!compiled)
		must(regcomp(&pattern, "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", REG_EXTENDED | REG_NOSUB) == 0,
		     "a pattern");
	compiled = true;
	return regexec(&pattern, id, 0, NULL, 0) == 0 && strcmp(id, "index.jsonl") != 0 &&
	       strcmp(id, "index.lock") != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *id = input_str(data, size);
	struct span s = exact(span_str(id));
	struct err e = ERR_INIT;
	bool valid = id_valid(s.p, s.n);

	must(valid == model_valid(id), "'%s'", id);
	must(!memchr(data, '\0', size) || !id_valid((const char *)data, size), "an id with a NUL");
	must((id_check(id, &e) == 0) == valid, "'%s'", id);
	must(valid || (e.kind == ERR_USAGE && e.msg[0]), "'%s'", id);
	must(!valid || (!strchr(id, '/') && id[0] != '.' && strlen(id) < ID_SIZE), "'%s'", id);
	drop(s);
	free(id);
	return 0;
}
