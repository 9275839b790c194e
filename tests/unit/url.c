#include "base/url.h"

#include "tap.h"

static void test_check(void)
{
	static const char *const good[] = {
		"http://h", "https://h/", "HTTPS://h/v1", "http://localhost:11434/v1", "http://127.0.0.1:1//",
		"https://[::1]:8443/v1", "https://api.example.org/a/b@c", "https://h:/v1", "http://h?a=b", "http://h/v1/?a=b&c", "https://xn--bcher-kva.example/",
	};
	static const struct {
		const char *url, *why;
	} bad[] = {
		{ "", "must be http:// or https://" }, { "h", "must be" }, { "ftp://h", "'ftp://h' must be" },
		{ "file:///etc/passwd", "must be" }, { "http:/h", "must be" }, { "http://", "must be" },
		{ "https:///v1", "must be" }, { "http://:80/", "must be" }, { "http://[::1/", "must be" },
		{ "http://h:80a/", "must be" }, { "javascript:alert(1)", "must be" },
		{ "http://u@h/", "user name or password" }, { "http://u:secret@h/", "user name or password" },
		{ "ftp://u:secret@h/", "user name or password" }, { "https://a@b@c", "user name or password" },
		{ "http://h/ v1", "blanks" }, { "http://h\n/", "blanks" }, { "http://h/\x7f", "blanks" },
		{ "http://h\tx", "blanks" }, { "http://h\\@evil/", "backslashes" },
		{ "http://h/?k=secret#b", "'http://h/?k=***#b' must end with its path or a query, without a #" },
		{ "http://h/#a", "without a #" }, { "x?secret", "'x?***' must be" },
		{ "http://h/\xff", "UTF-8" },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct err e = ERR_INIT;

		if (!is_int(url_check(good[i], &e), 0, "'%s'", good[i]))
			tap_note("%s", e.msg);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		is_int(url_check(bad[i].url, &e), -1, "a bad one, case %zu", i);
		is_err(&e, ERR_USAGE, bad[i].why, "says why");
		ok(!strstr(e.msg, "secret"), "and shows no password");
	}
}

static void test_local(void)
{
	static const char *const local[] = {
		"http://localhost", "http://LocalHost:80/", "http://127.0.0.1:1/v1", "http://127.255.3.4",
		"http://[::1]:80/", "https://[0:0:0:0:0:0:0:1]/",
		"http://0.0.0.0:8000/v1", "http://[::]:8000/", "http://gpu.localhost/", "http://a.b.LOCALHOST:1/",
		"http://127.1/", "http://0/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:0.0.0.0]/",
	};
	static const char *const other[] = {
		"http://localhost.example.org/", "http://127.0.0.1.example.org", "http://128.0.0.1/",
		"http://[::2]/", "http://127.1.example", "http://1270.0.1", "http://h/localhost",
		"http://xlocalhost", "http://[::ffff:10.0.0.1]/", "http://0.0.0.1/", "http://localhost..example/",
		"http://.localhost.example/", "http://[localhost]/", "http://[127.0.0.1]/", "http://",
	};

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		ok(url_is_local(local[i]), "this machine: %s", local[i]);
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		ok(!url_is_local(other[i]), "another: %s", other[i]);
	ok(url_is_plain("http://h") && url_is_plain("HTTP://h") && !url_is_plain("https://h"), "plain");
}

static void test_host(void)
{
	static const struct {
		const char *url, *host;
	} cases[] = {
		{ "http://h:80/v1", "h" }, { "https://a.b/c:d", "a.b" }, { "http://[::1]:80/", "::1" },
		{ "http://h", "h" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(span_eq(url_host(cases[i].url), cases[i].host), "the host of %s", cases[i].url);
}

static void test_shown(void)
{
	static const struct {
		const char *url, *shown;
	} cases[] = {
		{ "http://h/v1", "http://h/v1" }, { "http://h?", "http://h?" }, { "http://h?a=b", "http://h?a=***" },
		{ "http://h?a", "http://h?***" }, { "http://h?a=&b=", "http://h?a=&b=" }, { "http://h?=b", "http://h?=***" },
		{ "http://h/?key=a=b&x&api-version=1", "http://h/?key=***&***&api-version=1" },
		{ "http://h/?alt=sse&limit=1000&after_id=x&pageSize=1&pageToken=x", "http://h/?alt=sse&limit=1000&after_id=x&pageSize=1&pageToken=x" },
		{ "http://h/?Alt=x", "http://h/?Alt=***" }, { "http://h/?a?b=c?d", "http://h/?a?b=***" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b = BUF_INIT;

		url_add_shown(&b, cases[i].url);
		is_buf(&b, cases[i].shown, "%s as it is shown", cases[i].url);
		buf_release(&b);
	}
}

int main(void)
{
	test_check();
	test_local();
	test_host();
	test_shown();
	return tap_end();
}
