#include "page.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/env.h"
#include "client/key.h"
#include "tool.h"
#include "tty/pager.h"

/* A machine without less is no news to a user who has named no pager. */
static bool is_merely_missing(const struct err *e)
{
	return e->kind == ERR_NOT_FOUND && !env_or_empty("MC_PAGER") && !env_or_empty("PAGER");
}

void page_begin(const struct config *c)
{
	static bool tried;
	const char *command = tried || !isatty(STDOUT_FILENO) ? NULL : pager_command();
	struct err e = ERR_INIT;
	char **envp;

	tried = true;
	if (!command)
		return;
	envp = key_environment(c);
	if ((envp ? pager_begin(command, envp, &e) : err_oom(&e)) < 0 && !is_merely_missing(&e))
		say(e.msg);
	free(envp);
}

int page_end(int status)
{
	bool interrupted;

	if (!pager_is_open())
		return status;
	print_now();
	interrupted = pager_end();
	forget_output_error();
	return interrupted ? EXIT_INTERRUPTED : status;
}
