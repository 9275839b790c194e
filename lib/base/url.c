#include "base/url.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

static size_t scheme_length(const char *url)
{
	return strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
}

bool url_is_plain(const char *url)
{
	return scheme_length(url) == 7;
}

/* What is between the scheme and the path. */
static struct span authority(const char *url)
{
	const char *p = url + scheme_length(url);

	return (struct span){ p, strcspn(p, "/?#\\") };
}

struct span url_host(const char *url)
{
	struct span a = authority(url);
	const char *end;

	if (a.n && a.p[0] == '[') {
		end = memchr(a.p, ']', a.n);
		return (struct span){ a.p + 1, end ? (size_t)(end - a.p) - 1 : a.n - 1 };
	}
	end = memchr(a.p, ':', a.n);
	return (struct span){ a.p, end ? (size_t)(end - a.p) : a.n };
}

/* 0.0.0.0 and :: are what servers print that listen on all addresses; a connection to them ends
 * at this machine. inet_aton() also takes the short forms that libcurl takes, such as 127.1. */
static bool is_local_ipv4(const unsigned char a[4])
{
	static const unsigned char any[4];

	return a[0] == 127 || memcmp(a, any, 4) == 0;
}

static bool is_local_ipv6(const unsigned char a[16])
{
	static const unsigned char one[16] = { [15] = 1 }, any[16];
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a, one, 16) == 0 || memcmp(a, any, 16) == 0 ||
	       (memcmp(a, mapped, 12) == 0 && is_local_ipv4(a + 12));
}

bool url_is_local(const char *url)
{
	static const char name[] = "localhost";
	struct span h = url_host(url);
	size_t n = sizeof(name) - 1;
	unsigned char v6[16];
	struct in_addr v4;
	char host[256];

	if (!h.n || h.n >= sizeof(host))
		return false;
	memcpy(host, h.p, h.n);
	host[h.n] = '\0';
	if (h.p[-1] == '[')
		return inet_pton(AF_INET6, host, v6) == 1 && is_local_ipv6(v6);
	if (inet_aton(host, &v4))
		return is_local_ipv4((const unsigned char *)&v4);
	return h.n >= n && strcasecmp(host + h.n - n, name) == 0 && (h.n == n || host[h.n - n - 1] == '.');
}

/* ---- the query ---- */

/* The values of these are not secret and worth seeing: a version, and what mcbox itself adds. */
static bool is_public(struct span name)
{
	static const char *const names[] = { "api-version", "alt", "limit", "after_id", "pageSize",
		                             "pageToken", NULL };
	const char *const *each = names;

	while (*each && !span_eq(name, *each))
		each++;
	return *each != NULL;
}

bool url_next_secret(const char **at, struct span *value)
{
	const char *p = *at, *end;

	while ((p = strpbrk(p, "?&")) != NULL) {
		const char *name = ++p;

		end = p + strcspn(p, "&#");
		p += strcspn(p, "=&#");
		if (*p == '=' && is_public((struct span){ name, (size_t)(p - name) }))
			continue;
		p = *p == '=' ? p + 1 : name; /* one without a name may be a secret itself */
		if (end == p)
			continue;
		*value = (struct span){ p, (size_t)(end - p) };
		*at = end;
		return true;
	}
	return false;
}

void url_add_shown(struct buf *b, const char *url)
{
	const char *at = url, *from = url;
	struct span value;

	while (url_next_secret(&at, &value)) {
		buf_add(b, from, (size_t)(value.p - from));
		buf_adds(b, "***");
		from = value.p + value.n;
	}
	buf_adds(b, from);
}

/* ---- what a user may set ---- */

/* Its port, if there is one, is a number. */
static bool is_authority(struct span a)
{
	const char *colon, *p = a.p;

	if (!a.n || *a.p == ':')
		return false;
	if (*a.p == '[' && !(p = memchr(a.p, ']', a.n)))
		return false;
	colon = memchr(p, ':', a.n - (size_t)(p - a.p));
	for (p = colon ? colon + 1 : a.p + a.n; p < a.p + a.n; p++)
		if (*p < '0' || *p > '9')
			return false;
	return true;
}

static int must_be(const char *url, const char *what, struct err *e)
{
	struct buf shown = BUF_INIT;

	if (utf8_valid(url, strlen(url)) < strlen(url))
		buf_adds(&shown, "?");
	else
		url_add_shown(&shown, url);
	err_set(e, ERR_USAGE, "base URL '%s' must %s", shown.oom ? "?" : shown.p, what);
	buf_release(&shown);
	return -1;
}

int url_check(const char *url, struct err *e)
{
	static const char form[] = "be http:// or https:// and a host, as in http://localhost:11434/v1";
	struct span a = authority(url);

	for (const char *p = url; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '\\')
			return err_set(e, ERR_USAGE,
			               "the base URL must not hold blanks, control characters or backslashes");
	if (!scheme_length(url) && !strstr(url, "@"))
		return must_be(url, form, e);
	/* The address goes into messages and so into histories: no password may be in it. */
	if (!scheme_length(url) || memchr(a.p, '@', a.n))
		return err_set(e, ERR_USAGE, "the base URL must not hold a user name or password");
	if (utf8_valid(url, strlen(url)) < strlen(url))
		return err_set(e, ERR_USAGE, "the base URL is not valid UTF-8");
	if (!is_authority(a))
		return must_be(url, form, e);
	if (strchr(url, '#'))
		return must_be(url, "end with its path or a query, without a #", e);
	return 0;
}

int url_check_way(const char *url, bool allowed, struct err *e)
{
	struct span host = url_host(url);

	if (!url_is_plain(url) || allowed || url_is_local(url))
		return 0;
	return err_set(e, ERR_USAGE,
	               "http:// would send the prompt and the key to '%.*s' for all to read; use https://, "
	               "or set \"allowHttp\": true in the config file", (int)host.n, host.p);
}
