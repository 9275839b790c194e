/*
 * A model server that costs next to nothing: answers each request on a loopback
 * port with the same short event stream, and closes. Prints its port. Ends with its
 * standard input.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECES 20

/* Reads a request to the end of its body; false when the client left before. */
static int read_request(int fd)
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

static void answer(int fd)
{
	char text[8192];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	                     "Connection: close\r\n\r\n");
	for (int i = 0; i < PIECES; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		                      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word%d \"},"
		                      "\"finish_reason\":null}]}\n\n", i);
	n += (size_t)snprintf(text + n, sizeof(text) - n,
	                      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}"
	                      "\n\ndata: [DONE]\n\n");
	if (write(fd, text, n) < 0)
		perror("bench server");
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct pollfd p[2] = { { .fd = l, .events = POLLIN }, { .fd = 0, .events = POLLIN } };

	if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 16) < 0 ||
	    getsockname(l, (struct sockaddr *)&a, &len) < 0) {
		perror("bench server");
		return 1;
	}
	printf("%d\n", ntohs(a.sin_port));
	fflush(stdout);
	while (poll(p, 2, -1) > 0 && !p[1].revents) {
		int c = accept(l, NULL, NULL);

		if (c < 0)
			continue;
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (read_request(c))
			answer(c);
		close(c);
	}
	return 0;
}
