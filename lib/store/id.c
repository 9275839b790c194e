#include "store/id.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* A table, since a million ids may be checked at once. */
enum { FIRST = 1, LATER = 2 };
#define F FIRST
static const unsigned char in_id[256] = {
	['0'] = F, ['1'] = F, ['2'] = F, ['3'] = F, ['4'] = F, ['5'] = F, ['6'] = F, ['7'] = F,
	['8'] = F, ['9'] = F, ['A'] = F, ['B'] = F, ['C'] = F, ['D'] = F, ['E'] = F, ['F'] = F,
	['G'] = F, ['H'] = F, ['I'] = F, ['J'] = F, ['K'] = F, ['L'] = F, ['M'] = F, ['N'] = F,
	['O'] = F, ['P'] = F, ['Q'] = F, ['R'] = F, ['S'] = F, ['T'] = F, ['U'] = F, ['V'] = F,
	['W'] = F, ['X'] = F, ['Y'] = F, ['Z'] = F, ['a'] = F, ['b'] = F, ['c'] = F, ['d'] = F,
	['e'] = F, ['f'] = F, ['g'] = F, ['h'] = F, ['i'] = F, ['j'] = F, ['k'] = F, ['l'] = F,
	['m'] = F, ['n'] = F, ['o'] = F, ['p'] = F, ['q'] = F, ['r'] = F, ['s'] = F, ['t'] = F,
	['u'] = F, ['v'] = F, ['w'] = F, ['x'] = F, ['y'] = F, ['z'] = F,
	['.'] = LATER, ['_'] = LATER, ['-'] = LATER,
};
#undef F

static bool reserved(const char *id, size_t n)
{
	return (n == 11 && memcmp(id, "index.jsonl", 11) == 0) ||
	       (n == 10 && memcmp(id, "index.lock", 10) == 0) ||
	       (n == 13 && memcmp(id, "removed.jsonl", 13) == 0);
}

bool id_valid(const char *id, size_t n)
{
	if (n == 0 || n > ID_MAX || in_id[(unsigned char)id[0]] != FIRST || reserved(id, n))
		return false;
	for (size_t i = 1; i < n; i++)
		if (!in_id[(unsigned char)id[i]])
			return false;
	return true;
}

int id_check(const char *id, struct err *e)
{
	size_t n = strlen(id);

	if (id_valid(id, n))
		return 0;
	if (n == 0)
		return err_set(e, ERR_USAGE, "a session id must not be empty");
	if (n > ID_MAX)
		return err_set(e, ERR_USAGE, "session id '%.20s…' has %zu characters; at most %d are allowed",
		               id, n, ID_MAX);
	if (reserved(id, n))
		return err_set(e, ERR_USAGE, "session id '%s' is the name of one of the store's own files",
		               id);
	return err_set(e, ERR_USAGE,
	               "invalid session id '%s': use letters, digits, '.', '_' and '-', with a letter "
	               "or digit first", id);
}

static int random_bytes(unsigned char *p, size_t n, struct err *e)
{
	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, errno, "cannot get random bytes");
		p += got;
		n -= (size_t)got;
	}
	return 0;
}

int id_generate(char out[ID_SIZE], struct err *e)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	unsigned char raw[32];
	size_t n = 0;

	while (n < 8) {
		if (random_bytes(raw, sizeof(raw), e) < 0)
			return -1;
		/* 252 is the largest multiple of 36 in a byte: larger values would cause a bias. */
		for (size_t i = 0; i < sizeof(raw) && n < 8; i++)
			if (raw[i] < 252)
				out[n++] = digits[raw[i] % 36];
	}
	out[n] = '\0';
	return 0;
}

int uuid7_generate(char out[UUID_SIZE], int64_t ms, struct err *e)
{
	unsigned char u[16];
	uint64_t t = (uint64_t)ms;

	if (random_bytes(u + 6, 10, e) < 0)
		return -1;
	for (int i = 0; i < 6; i++)
		u[i] = (unsigned char)(t >> (40 - 8 * i));
	u[6] = 0x70 | (u[6] & 0x0f);
	u[8] = 0x80 | (u[8] & 0x3f);
	snprintf(out, UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
	         u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12],
	         u[13], u[14], u[15]);
	return 0;
}
