#include "store/id.h"

#include <stdlib.h>

#include "tap.h"

#define MANY 100000

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static size_t twice(char (*names)[UUID_SIZE], size_t n)
{
	size_t same = 0;

	qsort(names, n, sizeof(*names), compare);
	for (size_t i = 1; i < n; i++)
		same += strcmp(names[i - 1], names[i]) == 0;
	return same;
}

static void test_generate(char (*names)[UUID_SIZE])
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	struct err e = ERR_INIT;
	char id[ID_SIZE];
	double counts[8][36] = { { 0 } }, chi2 = 0, expected = MANY / 36.0;
	int bad = 0;

	for (int i = 0; i < MANY; i++) {
		if (id_generate(id, &e) < 0 || strlen(id) != 8 || strspn(id, digits) != 8) {
			bad++;
			continue;
		}
		for (int k = 0; k < 8; k++)
			counts[k][strchr(digits, id[k]) - digits]++;
		snprintf(names[i], UUID_SIZE, "%.8s", id);
	}
	is_int(bad, 0, "%d ids of eight characters of a-z0-9", MANY);
	for (int k = 0; k < 8; k++)
		for (int d = 0; d < 36; d++)
			chi2 += (counts[k][d] - expected) * (counts[k][d] - expected) / expected;
	/* 8 × 35 degrees of freedom: mean 280, deviation 24. Chance passes 500 once in 10^15
	 * runs; a plain "% 36" of a byte gives 5000. */
	ok(chi2 < 500, "each character equally often (chi-square %.0f)", chi2);
	/* 36^8 names: 10^5 of them meet with a probability of 0.2 %, thrice once in 10^9. */
	ok(twice(names, MANY) < 3, "hardly any twice");
}

static void test_uuid(char (*names)[UUID_SIZE])
{
	static const char shape[] = "xxxxxxxx-xxxx-7xxx-vxxx-xxxxxxxxxxxx";
	const int64_t start = INT64_C(1795248611000);
	struct err e = ERR_INIT;
	int bad = 0, wrong_time = 0, variants[4] = { 0 };

	for (int i = 0; i < MANY; i++) {
		char *u = names[i], hex[13];

		bad += uuid7_generate(u, start + i / 4, &e) < 0 || strlen(u) != 36;
		for (int k = 0; k < 36; k++) {
			const char *set = shape[k] == 'x' ? "0123456789abcdef"
			                  : shape[k] == 'v' ? "89ab" : (char[]){ shape[k], '\0' };

			bad += !strchr(set, u[k]);
		}
		snprintf(hex, sizeof(hex), "%.8s%.4s", u, u + 9);
		wrong_time += strtoll(hex, NULL, 16) != start + i / 4;
		variants[strcspn("89ab", (char[]){ u[19], '\0' }) & 3]++;
	}
	is_int(bad, 0, "%d UUIDs of version 7 and the standard's variant", MANY);
	is_int(wrong_time, 0, "with their time in milliseconds in the first 48 bits");
	for (int v = 0; v < 4; v++)
		ok(variants[v] > MANY / 5, "and chance in the bits beside the variant (%c)", "89ab"[v]);
	is_int((int64_t)twice(names, MANY), 0, "none twice");
}

static void test_uuid_times(void)
{
	char u[UUID_SIZE], later[UUID_SIZE];
	struct err e = ERR_INIT;

	uuid7_generate(u, 0, &e);
	ok(strncmp(u, "00000000-0000-7", 15) == 0, "the epoch: %s", u);
	uuid7_generate(u, INT64_C(0xffffffffffff), &e);
	ok(strncmp(u, "ffffffff-ffff-7", 15) == 0, "the last time: %s", u);
	uuid7_generate(u, 1795248611000, &e);
	uuid7_generate(later, 1795248611001, &e);
	ok(strcmp(u, later) < 0, "they sort by time");
}

static void test_valid(void)
{
	static const char *const good[] = { "a", "A", "0", "a.b_c-d", "abc123de", "9lives", "a..",
		                            "index", "index.jsonl2", "history.jsonl" };
	static const char *const bad[] = { "", ".", "..", ".a", "-a", "_a", "a/b", "a b", "a\n", "é",
		                           "a\xff", "../x", "index.jsonl", "index.lock", "a:b", "a*" };
	char name[ID_MAX + 2];
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(id_valid(good[i], strlen(good[i])) && id_check(good[i], &e) == 0, "an id: '%s'", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&e);
		ok(!id_valid(bad[i], strlen(bad[i])) && id_check(bad[i], &e) < 0, "no id: case %zu", i);
		is_int(e.kind, ERR_USAGE, "an error of usage");
	}
	memset(name, 'x', sizeof(name) - 1);
	name[ID_MAX + 1] = '\0';
	err_clear(&e);
	is_int(id_check(name, &e), -1, "65 characters are too many");
	is_err(&e, ERR_USAGE, "65 characters; at most 64", "says how many");
	ok(id_valid(name, ID_MAX), "64 are not");
	ok(!id_valid("a\0b", 3), "a NUL is in no id");
}

/* Every byte, in front and within. */
static void test_alphabet(void)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	int bad = 0;

	for (int c = 1; c < 256; c++) {
		char name[] = { (char)c, (char)c };
		bool letter = strchr(letters, c) != NULL;

		bad += id_valid(name, 1) != letter;
		name[0] = 'a';
		bad += id_valid(name, 2) != (letter || strchr("._-", c) != NULL);
	}
	is_int(bad, 0, "letters, digits, and behind the first also '.', '_', '-'");
}

int main(void)
{
	char(*names)[UUID_SIZE] = calloc(MANY, UUID_SIZE);

	test_generate(names);
	test_uuid(names);
	test_uuid_times();
	test_valid();
	test_alphabet();
	free(names);
	return tap_end();
}
