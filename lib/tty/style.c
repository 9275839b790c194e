#include "tty/style.h"

#include <string.h>
#include <unistd.h>

#include "base/env.h"

bool style_allowed(int fd)
{
	const char *term = env("TERM");

	return isatty(fd) && term && strcmp(term, "dumb") != 0 && !env("NO_COLOR");
}
