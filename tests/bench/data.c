/*
 * Makes large stores to measure on: `data index DIR N` writes an index of N live
 * sessions (and a fifth as many older lines, as a store in use has), `data history
 * DIR ID BYTES` one session's history of that size, `data conversation DIR ID N` one of
 * N exchanges of about 1,550 bytes, each of which follows the one before it.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const providers[] = { "openai-compatible", "anthropic", "echo", "google" };
static const char *const models[] = { "llama3.2", "qwen2.5-coder:14b", "gpt-4o-mini", "mistral" };
static const char *const words[] = { "how",  "can",   "the",  "parser", "fail", "when", "a",
	                             "file", "ends",  "in",   "middle", "of",   "line", "and",
	                             "what", "would", "you",  "change", "to",   "make", "it",
	                             "fast", "naïve", "日本", "tests",  "also" };

static uint64_t state = 42;

static uint32_t rnd(uint32_t n)
{
	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(state >> 33) % n;
}

static void text(char *to, size_t size, int count)
{
	size_t n = 0;

	to[0] = '\0';
	for (int i = 0; i < count && n + 16 < size; i++)
		n += (size_t)snprintf(to + n, size - n, "%s%s", i ? " " : "", words[rnd(26)]);
}

/* Ids look random, and are different for different numbers. */
static void id_of(char out[9], uint64_t i)
{
	uint64_t x = (i * UINT64_C(1000003) + 12345) % UINT64_C(2821109907456);

	for (int k = 0; k < 8; k++, x /= 36)
		out[k] = "abcdefghijklmnopqrstuvwxyz0123456789"[x % 36];
	out[8] = '\0';
}

static void record(FILE *f, uint64_t i, int64_t now)
{
	char id[9], first[128], last[128];
	unsigned in = rnd(90000), out = rnd(20000);

	id_of(id, i);
	text(first, sizeof(first), 6 + (int)rnd(12));
	text(last, sizeof(last), 4 + (int)rnd(12));
	fprintf(f,
	        "{\"id\":\"%s\",\"createdAt\":%" PRId64 ",\"updatedAt\":%" PRId64
	        ",\"exchangeCount\":%u,\"toolCalls\":%u,\"branches\":%u,\"provider\":\"%s\","
	        "\"model\":\"%s\",\"cwd\":\"/home/user/src/project%u\",\"title\":null,\"tags\":[%s],"
	        "\"firstQuery\":\"%s\",\"lastQuery\":\"%s\","
	        "\"root\":\"019a0000-0000-7000-8000-%012" PRIx64 "\",\"usageTotals\":{\"inputTokens\":%u,"
	        "\"outputTokens\":%u,\"totalTokens\":%u},\"historyBytes\":%u,\"version\":1}\n",
	        id, now - 86400000, now, 1 + rnd(40), rnd(9), rnd(3), providers[rnd(4)], models[rnd(4)],
	        rnd(300), rnd(5) ? "" : "\"work\"", first, last, i, in, out, in + out,
	        1000 + rnd(90000));
}

static int make_index(const char *dir, uint64_t n)
{
	char path[4096];
	int64_t now = INT64_C(1795000000000);
	long size;
	FILE *f;

	snprintf(path, sizeof(path), "%s/index.jsonl", dir);
	f = fopen(path, "w");
	if (!f)
		return 1;
	/* The header has a fixed width here, so that it can be filled in at the end. */
	fprintf(f, "{\"live\":%010u,\"bytes\":%012ld,\"version\":1}\n", (unsigned)n, 0L);
	for (uint64_t i = 0; i < n; i++) {
		if (i % 5 == 0)
			record(f, i + (n - i) / 2, now);
		record(f, i, now += rnd(100));
	}
	size = ftell(f);
	rewind(f);
	fprintf(f, "{\"live\":%10u,\"bytes\":%12ld,\"version\":1}\n", (unsigned)n, size);
	return fclose(f) != 0;
}

static void exchange(FILE *f, uint64_t n, int64_t now, int length)
{
	char query[256], answer[4096], parent[64] = "null";

	text(query, sizeof(query), 12);
	text(answer, sizeof(answer), length);
	if (n)
		snprintf(parent, sizeof(parent), "\"019a0000-0000-7000-8000-%012" PRIx64 "\"", n - 1);
	fprintf(f, "{\"type\":\"exchange\",\"id\":\"019a0000-0000-7000-8000-%012" PRIx64
	        "\",\"parent\":%s,\"timestamp\":%" PRId64 ",\"query\":\"%s\",\"answer\":\"%s\","
	        "\"summary\":null,\"model\":\"echo\",\"status\":\"complete\",\"duration\":1200,"
	        "\"tokenUsage\":{\"inputTokens\":12,\"outputTokens\":%d,\"totalTokens\":%d},"
	        "\"finishReason\":\"stop\"}\n", n, parent, now, query, answer, length, length + 12);
}

/* Ends with the exchange that fills the bytes, or is the last of `count`; UINT64_MAX: no end. */
static int make_history(const char *dir, const char *id, uint64_t bytes, uint64_t count, int length)
{
	char path[4096];
	int64_t now = INT64_C(1795000000000);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, id);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/history.jsonl", dir, id);
	f = fopen(path, "w");
	if (!f)
		return 1;
	fprintf(f, "{\"type\":\"session\",\"version\":1,\"id\":\"%s\",\"createdAt\":%" PRId64
	        ",\"cwd\":\"/home/user\",\"provider\":\"echo\",\"model\":\"echo\"}\n", id, now);
	for (uint64_t n = 0; n < count && (uint64_t)ftell(f) < bytes; n++)
		exchange(f, n, now += 1000, length);
	return fclose(f) != 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "index") == 0)
		return make_index(argv[2], strtoull(argv[3], NULL, 10));
	if (argc == 5 && strcmp(argv[1], "history") == 0)
		return make_history(argv[2], argv[3], strtoull(argv[4], NULL, 10), UINT64_MAX, 500);
	if (argc == 5 && strcmp(argv[1], "conversation") == 0)
		return make_history(argv[2], argv[3], UINT64_MAX, strtoull(argv[4], NULL, 10), 245);
	fprintf(stderr, "usage: data index DIR N | data history DIR ID BYTES | data conversation DIR ID N\n");
	return 2;
}
