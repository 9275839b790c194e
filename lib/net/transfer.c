#include "net/transfer.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/env.h"
#include "base/url.h"

/* ---- headers ---- */

static bool append(struct transfer *t, const char *line)
{
	struct curl_slist *more = t->h->curl.slist_append(t->headers, line);

	if (more)
		t->headers = more;
	return more != NULL;
}

/* The buffer is wiped: libcurl's own copy lives as long as the request. */
static bool append_secret(struct transfer *t, const char *name, const char *value)
{
	size_t n = strlen(name) + strlen(value) + 1;
	char *line = malloc(n);
	bool ok;

	if (!line)
		return false;
	snprintf(line, n, "%s%s", name, value);
	ok = append(t, line);
	explicit_bzero(line, n);
	free(line);
	return ok;
}

bool http_is_replaced(const struct http_request *rq, const char *line)
{
	size_t n = strcspn(line, ":");

	for (size_t i = 0; i < rq->nmore; i++)
		if (strlen(rq->more[i].name) == n && strncasecmp(rq->more[i].name, line, n) == 0)
			return true;
	return false;
}

static bool add_header(struct transfer *t, const char *line)
{
	return http_is_replaced(t->rq, line) || append(t, line);
}

/* libcurl takes a name without a value as one of its own headers that is not to be sent. */
static bool add_more(struct transfer *t, const struct config_header *h)
{
	char name[300];

	if ((size_t)snprintf(name, sizeof(name), "%s: ", h->name) >= sizeof(name))
		return true;
	return append_secret(t, name, h->value);
}

static int add_headers(struct transfer *t)
{
	bool ok = add_header(t, "Accept-Encoding: identity") && /* in place of libcurl's own; see http.h */
	          add_header(t, "Accept: text/event-stream, application/json");

	if (t->rq->body.p)
		ok = ok && add_header(t, "Content-Type: application/json") &&
		     add_header(t, "Expect:"); /* no round trip for permission to send */
	for (const char *const *line = t->rq->headers; line && *line; line++)
		ok = ok && add_header(t, *line);
	if (t->rq->secret_header && t->rq->secret && !http_is_replaced(t->rq, t->rq->secret_header))
		ok = ok && append_secret(t, t->rq->secret_header, t->rq->secret);
	for (size_t i = 0; i < t->rq->nmore; i++)
		ok = ok && add_more(t, &t->rq->more[i]);
	return ok ? 0 : err_oom(t->e);
}

/* ---- proxies ---- */

/* The proxy of the settings or the environment; "" when there is none. */
static const char *configured_proxy(const struct transfer *t)
{
	const char *p = t->h->options.proxy;

	if (!p)
		p = url_is_plain(t->rq->url) ? env("http_proxy") : env("https_proxy");
	if (!p && !url_is_plain(t->rq->url))
		p = env("HTTPS_PROXY");
	p = p ? p : env("all_proxy");
	p = p ? p : env("ALL_PROXY");
	return p ? p : "";
}

static const char *no_proxy(const struct transfer *t)
{
	const char *p = t->h->options.no_proxy;

	p = p ? p : env("no_proxy");
	p = p ? p : env("NO_PROXY");
	return p ? p : "";
}

/* "10.0.0.0/8", "fe80::/10", or an address alone. */
static bool is_in_network(int family, const char *address, const char *network)
{
	unsigned char a[16], b[16];
	char text[64];
	size_t n = strcspn(network, "/"), bytes = family == AF_INET ? 4 : 16;
	long bits = network[n] ? strtol(network + n + 1, NULL, 10) : (long)bytes * 8;

	if (n >= sizeof(text) || bits < 0 || bits > (long)bytes * 8)
		return false;
	memcpy(text, network, n);
	text[n] = '\0';
	if (inet_pton(family, address, a) != 1 || inet_pton(family, text, b) != 1 || memcmp(a, b, (size_t)bits / 8) != 0)
		return false;
	return bits % 8 == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - bits % 8) == 0;
}

/* The host's name is this name, or ends with a dot and this name. */
static bool is_domain_of(struct span host, struct span name)
{
	if (name.n && name.p[0] == '.')
		name = (struct span){ name.p + 1, name.n - 1 };
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (!name.n || host.n < name.n || strncasecmp(host.p + host.n - name.n, name.p, name.n) != 0)
		return false;
	return host.n == name.n || host.p[host.n - name.n - 1] == '.';
}

/* Whether the host is reached without a proxy, by the rules of curl(1): decided here, since libcurl
 * does not tell what it decided. */
static bool is_excluded(const struct transfer *t)
{
	const char *list = no_proxy(t);
	struct span host = url_host(t->rq->url);
	unsigned char address[16];
	char name[256], entry[256];
	int family;

	if (strcmp(list, "*") == 0)
		return true;
	if (!host.n || host.n >= sizeof(name))
		return false;
	memcpy(name, host.p, host.n);
	name[host.n] = '\0';
	family = host.p[-1] == '[' ? AF_INET6 : inet_pton(AF_INET, name, address) == 1 ? AF_INET : AF_UNSPEC;
	if (family == AF_UNSPEC && host.p[host.n - 1] == '.')
		host.n--;
	while (*(list += strspn(list, ", \t"))) {
		size_t n = strcspn(list, ", \t");

		if (n < sizeof(entry)) {
			memcpy(entry, list, n);
			entry[n] = '\0';
			if (family == AF_UNSPEC ? is_domain_of(host, (struct span){ list, n })
			                        : is_in_network(family, name, entry))
				return true;
		}
		list += n;
	}
	return false;
}

/* The proxy that the request goes through; "" when it goes through none. Requests to this machine
 * use no proxy, since a proxy elsewhere could not find it. */
static const char *proxy(const struct transfer *t)
{
	const char *p = url_is_local(t->rq->url) ? "" : configured_proxy(t);

	return *p && is_excluded(t) ? "" : p;
}

/* "user:password@" where that is in a proxy's address; else empty, at its beginning. */
static struct span proxy_user(const char *p)
{
	size_t scheme = strcspn(p, ":/@");
	const char *at = strrchr(p, '@');

	if (!at)
		return (struct span){ p, 0 };
	if (scheme < 16 && strncmp(p + scheme, "://", 3) == 0)
		p += scheme + 3;
	return (struct span){ p, (size_t)(at + 1 - p) };
}

void transfer_tell_proxy(const struct transfer *t, char out[512])
{
	const char *p = proxy(t);
	struct span user = proxy_user(p);

	out[0] = '\0';
	if (*p)
		snprintf(out, 512, " through the proxy '%.*s%.200s'", (int)(user.p - p), p, user.p + user.n);
}

bool transfer_has_proxy(const struct transfer *t)
{
	return *proxy(t);
}

void transfer_redact_proxy(struct transfer *t)
{
	struct span user = proxy_user(proxy(t));
	char *found;

	while (user.n && (found = memmem(t->why, strlen(t->why), user.p, user.n)))
		memmove(found, found + user.n, strlen(found + user.n) + 1);
}

static CURLcode set_proxy(struct transfer *t)
{
	__typeof__(curl_easy_setopt) *set = t->h->curl.easy_setopt;
	CURLcode bad = set(t->easy, CURLOPT_PROXY, proxy(t));

	return bad ? bad : set(t->easy, CURLOPT_NOPROXY, "");
}

/* ---- certificates ---- */

#define SYSTEM_DIR "/etc/ssl/certs"

/* OpenSSL finds one authority in a directory by the hash of its name. */
static bool is_hashed(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	bool found = false;

	while (d && !found && (entry = readdir(d)))
		found = strlen(entry->d_name) == 10 && strcmp(entry->d_name + 8, ".0") == 0;
	if (d)
		closedir(d);
	return found;
}

static bool is_openssl(struct transfer *t)
{
	const curl_version_info_data *v = t->h->curl.version_info(CURLVERSION_NOW);

	return v && v->ssl_version && strstr(v->ssl_version, "OpenSSL");
}

static bool has_https_proxy(const struct transfer *t)
{
	return strncasecmp(proxy(t), "https:", 6) == 0;
}

static bool uses_tls(const struct transfer *t)
{
	return !url_is_plain(t->rq->url) || has_https_proxy(t);
}

/*
 * To read the bundle of all authorities, libcurl's default, takes 20 ms; to look into a
 * directory for the one that is needed, less than one.
 */
static CURLcode set_authorities(struct transfer *t)
{
	__typeof__(curl_easy_setopt) *set = t->h->curl.easy_setopt;
	const char *file = env("SSL_CERT_FILE"), *dir = env("SSL_CERT_DIR");
	CURLcode bad;

	if (!file && !dir && is_openssl(t) && is_hashed(SYSTEM_DIR))
		dir = SYSTEM_DIR;
	if (!file && !dir)
		return CURLE_OK;
	t->authorities = file ? file : dir;
	bad = set(t->easy, CURLOPT_CAINFO, file);
	bad = bad ? bad : set(t->easy, CURLOPT_CAPATH, dir);
	if (bad || !has_https_proxy(t))
		return bad;
	bad = set(t->easy, CURLOPT_PROXY_CAINFO, file);
	return bad ? bad : set(t->easy, CURLOPT_PROXY_CAPATH, dir);
}

/* ---- all of it ---- */

/* A connection outlives a turn, and programs are run in between that have no business with it; not
 * every version of libcurl sees to that. */
static int close_on_exec(void *unused, curl_socket_t fd, curlsocktype purpose)
{
	(void)unused, (void)purpose;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return CURL_SOCKOPT_OK;
}

static CURLcode set_body(struct transfer *t)
{
	__typeof__(curl_easy_setopt) *set = t->h->curl.easy_setopt;
	CURLcode bad;

	if (!t->rq->body.p)
		return set(t->easy, CURLOPT_HTTPGET, 1L);
	bad = set(t->easy, CURLOPT_POST, 1L);
	bad = bad ? bad : set(t->easy, CURLOPT_POSTFIELDS, t->rq->body.p);
	return bad ? bad : set(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->rq->body.n);
}

static CURLcode set_security(struct transfer *t)
{
	__typeof__(curl_easy_setopt) *set = t->h->curl.easy_setopt;
	CURLcode bad = set(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");

	bad = bad ? bad : set(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
	bad = bad ? bad : set(t->easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	bad = bad ? bad : set(t->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	if (!uses_tls(t))
		return bad;
	bad = bad ? bad : set(t->easy, CURLOPT_SSL_VERIFYPEER, 1L);
	bad = bad ? bad : set(t->easy, CURLOPT_SSL_VERIFYHOST, 2L);
	bad = bad ? bad : set(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	return bad ? bad : set_authorities(t);
}

int transfer_set_up(struct transfer *t)
{
	__typeof__(curl_easy_setopt) *set = t->h->curl.easy_setopt;
	CURL *c = t->easy;
	CURLcode bad;

	if (url_check_way(t->rq->url, t->rq->plain, t->e) < 0 || add_headers(t) < 0)
		return -1;
	bad = set(c, CURLOPT_URL, t->rq->url);
	bad = bad ? bad : set_security(t);
	bad = bad ? bad : set_proxy(t);
	bad = bad ? bad : set_body(t);
	bad = bad ? bad : set(c, CURLOPT_NOSIGNAL, 1L);
	bad = bad ? bad : set(c, CURLOPT_SOCKOPTFUNCTION, close_on_exec);
#if LIBCURL_VERSION_NUM >= 0x075700
	set(c, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a name server that does not answer */
#endif
	set(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS); /* where libcurl has it */
	bad = bad ? bad : set(c, CURLOPT_TCP_KEEPALIVE, 1L);
	bad = bad ? bad : set(c, CURLOPT_USERAGENT, "mcbox/" MCBOX_VERSION);
	bad = bad ? bad : set(c, CURLOPT_HTTPHEADER, t->headers);
	bad = bad ? bad : set(c, CURLOPT_ACCEPT_ENCODING, ""); /* all that it decodes */
	bad = bad ? bad : set(c, CURLOPT_CONNECTTIMEOUT, t->h->options.connect_timeout);
	bad = bad ? bad : set(c, CURLOPT_ERRORBUFFER, t->why);
	if (bad == CURLE_OUT_OF_MEMORY)
		return err_oom(t->e);
	if (bad)
		return err_set(t->e, ERR_FAILED, "libcurl refuses an option: %s; it may be too old, or built without HTTP",
		               t->h->curl.easy_strerror(bad));
	return 0;
}
