/*
 * A model server that costs next to nothing: answers each request on a loopback
 * port with an event stream of 20 short pieces, one connection at a time. When the path
 * begins with two numbers, as in /100000/4/v1/chat/completions, it is of so many pieces of
 * so many bytes. Prints its port. Ends with its standard input.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECES 20

struct request {
	long pieces, size; /* 0: none were named */
};

static void take_numbers(const char *head, struct request *r)
{
	const char *path = strchr(head, '/');
	char *rest;

	r->pieces = path ? strtol(path + 1, &rest, 10) : 0;
	r->size = r->pieces && *rest == '/' ? strtol(rest + 1, NULL, 10) : 0;
}

/* Reads a request to the end of its body; false when the client left before. */
static int read_request(int fd, struct request *r)
{
	char head[16384], *end = NULL, *length;
	size_t n = 0, want;

	while (!end) {
		ssize_t got = n < sizeof(head) - 1 ? read(fd, head + n, sizeof(head) - 1 - n) : 0;

		if (got <= 0)
			return 0;
		n += (size_t)got;
		head[n] = '\0';
		end = strstr(head, "\r\n\r\n");
	}
	take_numbers(head, r);
	length = strcasestr(head, "\r\ncontent-length:");
	want = (size_t)(end + 4 - head) + (length ? strtoul(length + 17, NULL, 10) : 0);
	while (n < want) {
		char rest[16384];
		ssize_t got = read(fd, rest, sizeof(rest));

		if (got <= 0)
			return 0;
		n += (size_t)got;
	}
	return 1;
}

/* What is to be sent, in large writes. */
struct out {
	int fd, bad;
	size_t n;
	char bytes[1 << 18];
};

static void flush(struct out *o)
{
	char size[32];
	int n = snprintf(size, sizeof(size), "%zx\r\n", o->n);
	size_t at = 0;

	if (o->n && write(o->fd, size, (size_t)n) < 0)
		o->bad = 1;
	while (at < o->n && !o->bad) {
		ssize_t done = write(o->fd, o->bytes + at, o->n - at);

		o->bad = done < 0;
		at += done < 0 ? 0 : (size_t)done;
	}
	if (o->n && write(o->fd, "\r\n", 2) < 0)
		o->bad = 1;
	o->n = 0;
}

static void add(struct out *o, const char *text, size_t n)
{
	if (o->n + n > sizeof(o->bytes))
		flush(o);
	memcpy(o->bytes + o->n, text, n);
	o->n += n;
}

static void add_piece(struct out *o, const char *text)
{
	static const char head[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";
	static const char tail[] = "\"},\"finish_reason\":null}]}\n\n";

	add(o, head, sizeof(head) - 1);
	add(o, text, strlen(text));
	add(o, tail, sizeof(tail) - 1);
}

/* False when the client has left. */
static int answer(int fd, const struct request *r)
{
	static const char end[] = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}"
	                          "\n\ndata: [DONE]\n\n";
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	                           "Transfer-Encoding: chunked\r\n\r\n";
	static struct out o;
	char text[8192];

	o = (struct out){ .fd = fd };
	if (write(fd, head, sizeof(head) - 1) < 0)
		return 0;
	for (long i = 0; i < (r->pieces ? r->pieces : PIECES) && !o.bad; i++) {
		if (r->size && r->size < (long)sizeof(text))
			snprintf(text, sizeof(text), "%0*ld", (int)r->size, i % 10);
		else
			snprintf(text, sizeof(text), "word%ld ", i);
		add_piece(&o, text);
	}
	add(&o, end, sizeof(end) - 1);
	flush(&o);
	return !o.bad && write(fd, "0\r\n\r\n", 5) > 0;
}

int main(void)
{
	struct request r;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct pollfd p[2] = { { .fd = l, .events = POLLIN }, { .fd = 0, .events = POLLIN } };

	if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 16) < 0 ||
	    getsockname(l, (struct sockaddr *)&a, &len) < 0) {
		perror("bench server");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	while (poll(p, 2, -1) > 0 && !p[1].revents) {
		int c = accept(l, NULL, NULL);

		if (c < 0)
			continue;
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		while (read_request(c, &r) && answer(c, &r))
			;
		close(c);
	}
	return 0;
}
