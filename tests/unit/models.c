#include "client/models.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap.h"
#include "temp.h"

static struct config config = CONFIG_INIT;

static struct endpoint endpoint(const char *name, const char *url)
{
	struct endpoint ep = ENDPOINT_INIT;

	ep.config = &config;
	ep.provider = provider_find("openai-compatible");
	ep.base_url = url;
	snprintf(ep.name, sizeof(ep.name), "%s", name);
	return ep;
}

static void add(struct model_list *l, const char *id, const char *name, int64_t window)
{
	const struct model m = { span_str(id), span_str(name), window };
	struct err e = ERR_INIT;

	if (models_add(l, &m, &e) < 0)
		tap_note("%s", e.msg);
}

static const char *ids(const struct model_list *l)
{
	static char text[400];
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; i < l->n && n < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i ? " " : "", l->v[i].id);
	return text;
}

/* ---- lists ---- */

static void test_list(void)
{
	struct model_list l = MODEL_LIST_INIT;
	char longest[MODEL_TEXT_MAX + 2];
	struct model nul = { { "a\0b", 3 }, { "", 0 }, 0 };
	struct err e = ERR_INIT;

	models_sort(&l);
	ok(!models_find(&l, "x"), "nothing in an empty list");
	add(&l, "b", "Bee", 5);
	add(&l, "c", "c", -7);
	add(&l, "a", "\xff", 0);
	add(&l, "b", "Other", 6);
	models_sort(&l);
	is_str(ids(&l), "a b c", "sorted, each once");
	is_int(models_find(&l, "b")->window == 5 || models_find(&l, "b")->window == 6, 1, "found");
	ok(!models_find(&l, "c")->name, "a name that says no more than the id is none");
	ok(!models_find(&l, "a")->name, "nor is one that is no text");
	is_int(models_find(&l, "c")->window, 0, "a window below 0 is none");
	ok(!models_find(&l, "ab") && !models_find(&l, ""), "not found");
	memset(longest, 'x', sizeof(longest));
	longest[MODEL_TEXT_MAX + 1] = '\0';
	add(&l, longest, "", 0);
	add(&l, "", "", 0);
	add(&l, "\xc3", "", 0);
	models_add(&l, &nul, &e);
	is_int((int64_t)l.n, 3, "what -m cannot take is passed over");
	longest[MODEL_TEXT_MAX] = '\0';
	add(&l, longest, "", 0);
	is_int((int64_t)l.n, 4, "the longest");
	models_release(&l);
}

static void test_limit(void)
{
	struct model_list l = MODEL_LIST_INIT;
	char id[16];

	for (int i = 0; i < MODELS_MAX + 5; i++) {
		snprintf(id, sizeof(id), "m%d", i);
		add(&l, id, "", 0);
	}
	is_int((int64_t)l.n, MODELS_MAX, "a list has an end");
	models_release(&l);
}

static void is_near(const char *word, const char *want, const struct model_list *l)
{
	const char *near[5];
	size_t n = models_suggest(l, word, near, 5);
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		buf_addf(&got, "%s%s", i ? " " : "", near[i]);
	is_buf(&got, want, "near '%s'", word);
	buf_release(&got);
}

static void test_near(void)
{
	struct model_list l = MODEL_LIST_INIT;
	char huge[300];

	is_near("gpt5", "", &l);
	add(&l, "gpt-5", "", 0);
	add(&l, "gpt-5-mini", "", 0);
	add(&l, "claude-sonnet-4-5", "", 0);
	add(&l, "claude-opus-4-1", "", 0);
	add(&l, "meta-llama/Llama-3.2-3B", "", 0);
	add(&l, "qwen2.5:7b", "", 0);
	add(&l, "---", "", 0);
	models_sort(&l);
	is_near("gpt5", "gpt-5 gpt-5-mini", &l);
	is_near("GPT 5", "gpt-5 gpt-5-mini", &l);
	is_near("gpt-5-mni", "gpt-5-mini", &l);
	is_near("gtp-5-mini", "gpt-5-mini", &l);
	is_near("openai/gpt-5", "gpt-5 gpt-5-mini", &l);
	is_near("llama3.2", "meta-llama/Llama-3.2-3B", &l);
	is_near("claude-sonet-4.5", "claude-sonnet-4-5", &l);
	is_near("claude", "claude-opus-4-1 claude-sonnet-4-5", &l);
	is_near("zzzzzzzz", "", &l);
	is_near("gpt-5", "gpt-5 gpt-5-mini", &l);
	is_near("", "", &l);
	is_near("-", "", &l);
	is_near("/", "", &l);
	memset(huge, 'g', sizeof(huge));
	huge[299] = '\0';
	is_near(huge, "", &l);
	models_release(&l);
	for (int i = 0; i < 20; i++) {
		snprintf(huge, sizeof(huge), "model-%02d", 19 - i);
		add(&l, huge, "", 0);
	}
	memset(huge, 'm', sizeof(huge));
	memcpy(huge, "model-", 6);
	huge[299] = '\0';
	add(&l, huge, "", 0);
	is_near("model", "model-00 model-01 model-02 model-03 model-04", &l);
	models_release(&l);
}

/* ---- the text ---- */

#define HEAD                                                                                     \
	"{\"type\":\"models\",\"endpoint\":\"here\",\"provider\":\"openai-compatible\","          \
	"\"baseUrl\":\"http://localhost/v1\",\"askedAt\":1700000000000,\"count\":"

static void reads(const char *text, bool want, const char *what)
{
	struct endpoint ep = endpoint("here", "http://localhost/v1");
	struct model_list l = MODEL_LIST_INIT;

	ok(models_read(&l, &ep, span_str(text)) == want, "%s: %s", want ? "taken" : "refused", what);
	ok(want || (!l.v && !l.n && !l.asked_at), "and the list is as it should be");
	models_release(&l);
}

static void test_read(void)
{
	reads(HEAD "0,\"version\":1}\n", true, "no models");
	reads(HEAD "1,\"version\":1}\n{\"id\":\"a\"}\n", true, "one");
	reads(HEAD "1,\"version\":1}\n{\"more\":[1],\"id\":\"a\",\"name\":null}\n", true, "more than is known");
	reads("", false, "an empty file");
	reads("\n", false, "an empty line");
	reads(HEAD "0,\"version\":1}", false, "a head without its end");
	reads(HEAD "2,\"version\":1}\n{\"id\":\"a\"}\n", false, "a line is missing");
	reads(HEAD "0,\"version\":1}\n{\"id\":\"a\"}\n", false, "a line too many");
	reads(HEAD "1,\"version\":1}\n{\"id\":\"a\"}", false, "the last line breaks off");
	reads(HEAD "1,\"version\":1}\n{\"id\":\"a\"\n", false, "broken JSON");
	reads(HEAD "1,\"version\":1}\n[\"a\"]\n", false, "no object");
	reads(HEAD "1,\"version\":1}\n{\"id\":5}\n", false, "an id that is no string");
	reads(HEAD "1,\"version\":1}\n{\"id\":\"\"}\n", false, "an empty id");
	reads(HEAD "1,\"version\":1}\n{\"id\":\"a\\u0000\"}\n", false, "an id with a NUL");
	reads(HEAD "1,\"version\":1}\n{\"id\":\"\xff\"}\n", false, "an id that is not UTF-8");
	reads(HEAD "1,\"version\":1}\n{}\n", false, "no id");
	reads(HEAD "1,\"version\":1}\n\n{\"id\":\"a\"}\n", false, "a line of nothing");
	reads(HEAD "0,\"version\":2}\n", false, "another version");
	reads(HEAD "0}\n", false, "no version");
	reads("{\"type\":\"models\",\"version\":1,\"count\":0}\n", false, "nobody's");
}

static void test_whose(void)
{
	struct endpoint ep = endpoint("here", "http://localhost/v1"), other;
	struct model_list l = MODEL_LIST_INIT, again = MODEL_LIST_INIT;
	struct buf text = BUF_INIT, twice = BUF_INIT;

	add(&l, "b\n\"\\", "Bee \xe2\x82\xac", 128000);
	add(&l, "a", "", 0);
	models_sort(&l);
	l.asked_at = 1700000000000;
	models_write(&l, &ep, &text);
	ok(models_read(&again, &ep, buf_span(&text)), "what was written is read");
	is_int(again.asked_at, l.asked_at, "and when that was");
	is_str(ids(&again), "a b\n\"\\", "with its models");
	is_int(again.v[1].window, 128000, "their windows");
	is_str(again.v[1].name, "Bee \xe2\x82\xac", "and names");
	models_write(&again, &ep, &twice);
	is_same(buf_span(&twice), buf_span(&text), "and written again it is the same");
	models_release(&again);
	other = endpoint("there", "http://localhost/v1");
	ok(!models_read(&again, &other, buf_span(&text)), "not that of another endpoint");
	other = endpoint("here", "http://localhost/v2");
	ok(!models_read(&again, &other, buf_span(&text)), "nor of another base URL");
	other = endpoint("here", NULL);
	ok(!models_read(&again, &other, buf_span(&text)), "nor of a server that is looked for");
	models_release(&l);
	buf_release(&text);
	buf_release(&twice);
}

/* ---- the file ---- */

static char folder[4200], file[8500];

/* The one file that is kept, or "". Hidden and left-over ones count too. */
static const char *find_file(void)
{
	DIR *d = opendir(folder);
	struct dirent *f;
	int n = 0;

	file[0] = '\0';
	while (d && (f = readdir(d)) != NULL)
		if (strcmp(f->d_name, ".") != 0 && strcmp(f->d_name, "..") != 0) {
			snprintf(file, sizeof(file), "%s/%s", folder, f->d_name);
			n++;
		}
	if (d)
		closedir(d);
	return n == 1 ? file : "";
}

static void keep(const struct endpoint *ep, const char *id, int64_t when)
{
	struct model_list l = MODEL_LIST_INIT;

	add(&l, id, "", 4096);
	l.asked_at = when;
	models_keep(&l, ep);
	models_release(&l);
}

static bool is_kept(const struct endpoint *ep, const char *id)
{
	struct model_list l = MODEL_LIST_INIT;
	bool good = models_cached(&l, ep) && strcmp(ids(&l), id) == 0;

	models_release(&l);
	return good;
}

static void test_file(void)
{
	struct endpoint ep = endpoint("here", "http://localhost/v1");
	struct endpoint other = endpoint("here", "http://localhost/v2");
	struct model_list empty = MODEL_LIST_INIT;
	struct stat st;

	ok(!is_kept(&ep, "a"), "nothing is kept yet");
	ok(access(config.cache_dir, F_OK) < 0, "and nothing was made for that");
	keep(&ep, "a", clock_now_ms());
	ok(is_kept(&ep, "a"), "kept");
	ok(stat(find_file(), &st) == 0 && (st.st_mode & 07777) == 0600, "in a file for this user");
	ok(stat(folder, &st) == 0 && (st.st_mode & 07777) == 0700, "in such a folder");
	ok(stat(config.cache_dir, &st) == 0 && (st.st_mode & 07777) == 0700, "in such a folder");
	ok(!is_kept(&other, "a"), "another base URL has another");
	keep(&ep, "b", clock_now_ms());
	ok(is_kept(&ep, "b") && *find_file(), "a newer one takes its place");
	models_keep(&empty, &ep);
	ok(is_kept(&ep, "b"), "an empty one does not");
	setenv("OPENAI_COMPATIBLE_API_KEY", "secret-canary", 1);
	ok(!is_kept(&ep, "b"), "a key may see other models");
	unsetenv("OPENAI_COMPATIBLE_API_KEY");
}

static void spoiled(const char *what)
{
	struct endpoint ep = endpoint("here", "http://localhost/v1");

	ok(!is_kept(&ep, "b"), "not read: %s", what);
	keep(&ep, "b", clock_now_ms());
	ok(is_kept(&ep, "b"), "made again: %s", what);
}

static void test_hostile(void)
{
	char elsewhere[4200];

	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", temp_path);
	ok(*find_file(), "there is a file");
	ok(chmod(file, 0666) == 0, "…");
	spoiled("a file that others may write");
	ok(rename(file, elsewhere) == 0 && symlink(elsewhere, file) == 0, "…");
	spoiled("a symbolic link");
	ok(unlink(file) == 0 && link(elsewhere, file) == 0, "…");
	spoiled("a hard link");
	ok(unlink(file) == 0 && mkfifo(file, 0600) == 0, "…");
	spoiled("a FIFO");
	temp_write(file, span_str("garbage"));
	spoiled("garbage");
	if (geteuid() == 0) {
		ok(chown(file, 12345, 12345) == 0, "…");
		spoiled("another user's file");
	}
	ok(unlink(file) == 0 && mkdir(file, 0700) == 0, "…");
}

static void test_folders(void)
{
	struct endpoint ep = endpoint("here", "http://localhost/v1");

	ok(rmdir(file) == 0 && rmdir(folder) == 0, "…");
	temp_write(folder, span_str(""));
	keep(&ep, "a", 1);
	ok(!is_kept(&ep, "a"), "no folder: nothing is kept, and nothing fails");
	ok(unlink(folder) == 0 && symlink(temp_path, folder) == 0, "…");
	keep(&ep, "a", 1);
	ok(!is_kept(&ep, "a"), "a folder that is a link is not used");
	ok(unlink(folder) == 0, "…");
	keep(&ep, "a", 1);
	ok(is_kept(&ep, "a"), "one of our own is");
	ok(chmod(folder, 0777) == 0, "…");
	ok(!is_kept(&ep, "a"), "one that all may write is not");
	ok(chmod(folder, 0700) == 0, "…");
	config.cache_dir = NULL;
	keep(&ep, "a", 1);
	ok(!is_kept(&ep, "a"), "nobody knows where");
}

/* ---- its age, and what it is for ---- */

static void test_fresh(void)
{
	struct endpoint ep = endpoint("here", "http://localhost/v1");
	struct model_list l = MODEL_LIST_INIT;
	const int64_t hour = INT64_C(3600000), now = clock_now_ms();

	ok(!models_are_fresh(&l, &ep), "nothing is not fresh");
	l.asked_at = now - 23 * hour;
	ok(models_are_fresh(&l, &ep), "of today");
	l.asked_at = now - 25 * hour;
	ok(!models_are_fresh(&l, &ep), "of yesterday");
	l.asked_at = now + hour;
	ok(!models_are_fresh(&l, &ep), "of the future");
	l.asked_at = now;
	ep.found = true;
	ok(!models_are_fresh(&l, &ep), "of a server that was found");
	ep.found = false;
	ep.base_url = NULL;
	ok(!models_are_fresh(&l, &ep), "of one that is to be found");
}

static int64_t window_by_heart(struct span model)
{
	return span_eq(model, "known") || span_eq(model, "a") ? 77 : 0;
}

static void test_window(void)
{
	struct endpoint ep = endpoint("here", "http://localhost/v1");
	struct provider p = *ep.provider;

	is_int(models_window(&ep, "known"), 0, "nobody knows");
	p.window = window_by_heart;
	ep.provider = &p;
	is_int(models_window(&ep, "known"), 77, "the provider does");
	keep(&ep, "a", 1);
	is_int(models_window(&ep, "a"), 4096, "the server said so, long ago");
	is_int(models_window(&ep, "known"), 77, "it said nothing of that one");
	ep.provider = provider_find("echo");
	is_int(models_window(&ep, "echo"), 0, "echo has none");
}

static void test_own(void)
{
	struct endpoint ep = ENDPOINT_INIT;
	struct model_list l = MODEL_LIST_INIT;

	ep.config = &config;
	ep.provider = provider_find("echo");
	ok(models_cached(&l, &ep) && models_are_fresh(&l, &ep), "echo needs nobody");
	is_str(ids(&l), "echo", "its model");
	models_release(&l);
}

int main(void)
{
	char cache[4130];

	temp_enter();
	unsetenv("OPENAI_COMPATIBLE_API_KEY");
	snprintf(cache, sizeof(cache), "%s/deep/cache", temp_path);
	snprintf(folder, sizeof(folder), "%s/models", cache);
	config.cache_dir = cache;
	test_list();
	test_limit();
	test_near();
	test_read();
	test_whose();
	test_file();
	test_hostile();
	test_folders();
	config.cache_dir = cache;
	test_fresh();
	test_window();
	test_own();
	return tap_end();
}
