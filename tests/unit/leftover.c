/* The names of folders that a crash leaves in the sessions directory. */
#include "store/leftover.h"

#include "tap.h"

static const struct {
	const char *name;
	enum leftover kind;
	const char *id; /* NULL: of no session */
} cases[] = {
	{ ".new-a-abcdefgh", LEFTOVER_NEW, "a" },
	{ ".new-a-b-1-abcd1234", LEFTOVER_NEW, "a-b-1" },
	{ ".new-a-abcdefg", LEFTOVER_NEW, NULL },
	{ ".new-a-abcdefghi", LEFTOVER_NEW, NULL },
	{ ".new-a-ABCDEFGH", LEFTOVER_NEW, NULL },
	{ ".new-a_abcdefgh", LEFTOVER_NEW, NULL },
	{ ".new-abcdefgh", LEFTOVER_NEW, NULL },
	{ ".new--abcdefgh", LEFTOVER_NEW, NULL },
	{ ".new-a-", LEFTOVER_NEW, NULL },
	{ ".new-", LEFTOVER_NEW, NULL },
	{ ".new", LEFTOVER_NONE, NULL },
	{ "x.new-a-abcdefgh", LEFTOVER_NONE, NULL },
	{ ".removed-a-1-2", LEFTOVER_REMOVED, "a" },
	{ ".removed-a-1-2-33-44", LEFTOVER_REMOVED, "a-1-2" },
	{ ".removed-a-12", LEFTOVER_NONE, NULL },
	{ ".removed-a-1-", LEFTOVER_NONE, NULL },
	{ ".removed-a--2", LEFTOVER_NONE, NULL },
	{ ".removed-a-1-2x", LEFTOVER_NONE, NULL },
	{ ".removed-a-x-2", LEFTOVER_NONE, NULL },
	{ ".removed-1-2", LEFTOVER_NONE, NULL },
	{ ".removed-", LEFTOVER_NONE, NULL },
	{ "a", LEFTOVER_NONE, NULL },
	{ "", LEFTOVER_NONE, NULL },
};

static const char *const ids[] = { "a", "a-b-1", "a-1-2", "a-1", "a-b" };

int main(void)
{
	char name[LEFTOVER_SIZE], longest[ID_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t wrong = 0;

		is_int(leftover_kind(cases[i].name), cases[i].kind, "'%s'", cases[i].name);
		for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++) {
			bool own = cases[i].id && strcmp(cases[i].id, ids[k]) == 0;

			wrong += leftover_of(cases[i].name, ids[k]) != (own ? cases[i].kind : LEFTOVER_NONE);
		}
		is_int(wrong, 0, "of which session '%s' is", cases[i].name);
	}
	memset(longest, 'x', ID_MAX);
	longest[ID_MAX] = '\0';
	leftover_name_new(name, longest, "abcdefgh");
	is_int(leftover_of(name, longest), LEFTOVER_NEW, "'%s'", name);
	leftover_name_removed(name, longest, 4194304, INT64_C(253402300799999));
	is_int(leftover_of(name, longest), LEFTOVER_REMOVED, "'%s'", name);
	return tap_end();
}
