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

bool url_is_local(const char *url)
{
	static const unsigned char one[16] = { [15] = 1 };
	struct span h = url_host(url);
	unsigned char address[16];
	char host[64];

	if (h.n >= sizeof(host))
		return false;
	memcpy(host, h.p, h.n);
	host[h.n] = '\0';
	if (strcasecmp(host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, host, address) == 1)
		return address[0] == 127;
	return inet_pton(AF_INET6, host, address) == 1 && memcmp(address, one, 16) == 0;
}

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

int url_check(const char *url, struct err *e)
{
	struct span a = authority(url);

	for (const char *p = url; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '\\')
			return err_set(e, ERR_USAGE,
			               "the base URL must not hold blanks, control characters or backslashes");
	if (!scheme_length(url) && !strstr(url, "@"))
		return err_set(e, ERR_USAGE,
		               "base URL '%s' must be http:// or https:// and a host, as in "
		               "http://localhost:11434/v1", utf8_valid(url, strlen(url)) < strlen(url) ? "?" : url);
	/* The address goes into messages and so into histories: no password may be in it. */
	if (!scheme_length(url) || memchr(a.p, '@', a.n))
		return err_set(e, ERR_USAGE, "the base URL must not hold a user name or password");
	if (utf8_valid(url, strlen(url)) < strlen(url))
		return err_set(e, ERR_USAGE, "the base URL is not valid UTF-8");
	if (!is_authority(a))
		return err_set(e, ERR_USAGE,
		               "base URL '%s' must be http:// or https:// and a host, as in "
		               "http://localhost:11434/v1", url);
	if (strpbrk(url, "?#"))
		return err_set(e, ERR_USAGE, "base URL '%s' must end with its path, without a ? or #", url);
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
