#include "prompt/line.h"

#include <poll.h>
#include <pty.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "tap.h"

static int master, slave;

/* What came to the terminal, with its newlines as they were written, as far as `want`: the
 * kernel passes it on in its own time. */
static void shown(char *to, size_t size, const char *want)
{
	struct pollfd p = { .fd = master, .events = POLLIN };
	size_t n = 0;

	to[0] = '\0';
	while (!strstr(to, want) && n < size - 1 && poll(&p, 1, 10000) > 0) {
		ssize_t got = read(master, to + n, size - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
		to[n] = '\0';
	}
}

/* The line that keys make which were typed ahead, and what is seen of them. */
static void ahead(const char *keys, const char *want, const char *seen, const char *name)
{
	struct line_reader r = LINE_READER(slave, -1);
	struct buf line = BUF_INIT;
	struct err e = ERR_INIT;
	char screen[256];

	line_prompt(&r, slave, "> ");
	line_ahead(&r, span_str(keys));
	is_int(line_read(&r, &line, &e), 1, "%s", name);
	is_str(line.p, want, "is the line");
	shown(screen, sizeof(screen), seen);
	is_str(screen, seen, "is on the screen");
	buf_release(&line);
	line_release(&r);
}

static void keys(void)
{
	ahead("hello\r", "hello", "> hello\n", "a line");
	ahead("a\nb\r", "a", "> a\n", "the first of two");
	ahead("wrong\025right\r", "right", "> right\n", "Ctrl-U");
	ahead("a\303\274\177\177\177b\r", "b", "> b\n", "Backspace, by characters, and no further");
	ahead("one two  \027\027three\r", "three", "> three\n", "Ctrl-W");
	ahead("a\004b\r", "ab", "> ab\n", "Ctrl-D within a line is nothing");
	ahead("a\033[Ab\r", "a\033[Ab", "> a^[[Ab\n", "what is no character is shown harmless");
	ahead("\r", "", "> \n", "an empty line");
}

static void two_and_a_half(void)
{
	struct line_reader r = LINE_READER(slave, -1);
	struct buf line = BUF_INIT;
	struct err e = ERR_INIT;
	char screen[256];

	line_ahead(&r, span_str("one\rtwo\rthr"));
	line_ahead(&r, span_str("e\177e"));
	is_int(line_read(&r, &line, &e), 1, "the first line");
	is_str(line.p, "one", "is the first");
	is_int(line_read(&r, &line, &e), 1, "the second line");
	is_str(line.p, "two", "is the second");
	line_prompt(&r, slave, "> ");
	if (write(master, "e!\n", 3) != 3)
		tap_note("cannot type");
	is_int(line_read(&r, &line, &e), 1, "the line that is gone on with");
	is_str(line.p, "three!", "is its beginning and its end");
	shown(screen, sizeof(screen), "thre");
	ok(strstr(screen, "> ") && strstr(screen, "thre"), "both are on the screen");
	buf_release(&line);
	line_release(&r);
}

static void end_of_file(void)
{
	struct line_reader r = LINE_READER(slave, -1);
	struct buf line = BUF_INIT;
	struct err e = ERR_INIT;

	line_ahead(&r, span_str("one\r\004two\r"));
	is_int(line_read(&r, &line, &e), 1, "a line");
	is_int(line_read(&r, &line, &e), 0, "Ctrl-D at its beginning is the end");
	is_int(line_read(&r, &line, &e), 1, "of which a caller may make what it likes");
	is_str(line.p, "two", "and what follows is there");
	buf_release(&line);
	line_release(&r);
}

int main(void)
{
	struct termios mode;

	if (openpty(&master, &slave, NULL, NULL, NULL) < 0) {
		tap_note("no pseudo-terminal");
		return 1;
	}
	tcgetattr(slave, &mode);
	mode.c_oflag &= ~(tcflag_t)OPOST;
	mode.c_iflag |= IUTF8;
	tcsetattr(slave, TCSANOW, &mode);
	keys();
	two_and_a_half();
	end_of_file();
	return tap_end();
}
