/* /attach, /detach, /copy and /save. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/fences.h"
#include "base/save.h"
#include "base/utf8.h"
#include "base/words.h"
#include "chat/command.h"
#include "tty/clip.h"

/* ---- what goes along with the next prompt ---- */

static void list_attached(const struct chat *chat)
{
	if (chat->files.nrefs)
		print_attachments(stderr, chat->files.refs, chat->files.nrefs, 0, true);
	else
		command_tell("Nothing is attached to the next prompt");
}

static int attach(struct chat *chat, const char *path, struct err *e)
{
	if (strcmp(path, "-") == 0)
		return err_set(e, ERR_USAGE, "/attach takes files (one of that name is './-'); /detach takes "
		               "them back");
	return chat_attach(chat, path, e);
}

/* All of them or, if one cannot be attached, none. Each fault is reported. */
static void attach_all(struct chat *chat, const struct words *w)
{
	size_t before = chat->files.nrefs, faults = 0;

	for (size_t i = 0; i < w->n; i++) {
		struct err e = ERR_INIT;

		if (attach(chat, w->v[i], &e) < 0) {
			chat_fail(&e);
			faults++;
		}
	}
	if (faults)
		files_detach_from(&chat->files, before);
	if (faults && w->n > 1)
		command_tell("None of these %zu files is attached", w->n);
}

bool command_attach(struct chat *chat, struct span args)
{
	struct words w = WORDS_INIT;
	struct err e = ERR_INIT;

	if (words_split(&w, args, &e) < 0) {
		chat_fail(&e);
	} else {
		attach_all(chat, &w);
		list_attached(chat);
	}
	words_release(&w);
	return true;
}

/* The first file of this name that is not yet among the `n` in `found`, or -1. */
static ssize_t find_attached(const struct files *f, const char *path, const bool *found)
{
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < f->nrefs; i++)
		if (!found[i] && span_eq(f->refs[i].name, slash ? slash + 1 : path))
			return (ssize_t)i;
	return -1;
}

/* All of them or, if one is not attached, none. */
static int detach_all(struct chat *chat, const struct words *w, struct err *e)
{
	struct files *f = &chat->files;
	bool *found = calloc(f->nrefs + 1, sizeof(*found));
	size_t faults = 0;

	if (!found)
		return err_oom(e);
	for (size_t i = 0; i < w->n; i++) {
		ssize_t at = find_attached(f, w->v[i], found);

		if (at >= 0) {
			found[at] = true;
		} else {
			struct err missing = ERR_INIT;

			err_set(&missing, ERR_USAGE, "'%s' is not attached to the next prompt", w->v[i]);
			chat_fail(&missing);
			faults++;
		}
	}
	for (size_t i = f->nrefs; i-- > 0 && !faults;)
		if (found[i])
			files_take_back(f, i);
	free(found);
	if (faults && w->n > 1)
		command_tell("None of these %zu files is taken back", w->n);
	return 0;
}

bool command_detach(struct chat *chat, struct span args)
{
	struct words w = WORDS_INIT;
	struct err e = ERR_INIT;
	int r = words_split(&w, args, &e);

	if (r == 0 && !w.n)
		files_detach(&chat->files);
	else if (r == 0)
		r = detach_all(chat, &w, &e);
	if (r < 0)
		chat_fail(&e);
	else
		list_attached(chat);
	words_release(&w);
	return true;
}

/* ---- the last reply, or a block of it ---- */

struct piece {
	struct span text;  /* points into the reply or the blocks */
	struct fences blocks;
	char what[40];     /* "the reply", "code block 2" */
};
#define PIECE_INIT { { "", 0 }, FENCES_INIT, "" }

static size_t count_lines(struct span s)
{
	size_t n = s.n && s.p[s.n - 1] != '\n';

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '\n';
	return n;
}

static int no_such_block(const struct fences *f, long n, struct err *e)
{
	struct buf list = BUF_INIT;

	for (size_t i = 0; i < f->n && i < 9; i++) {
		size_t lines = count_lines(buf_span(&f->v[i].code));

		buf_addf(&list, "%s%zu %.*s%s(%zu line%s)", i ? ", " : "", i + 1, (int)f->v[i].language.n,
		         f->v[i].language.p, f->v[i].language.n ? " " : "", lines, lines == 1 ? "" : "s");
	}
	if (!f->n)
		err_set(e, ERR_USAGE, "the last reply has no code block");
	else
		err_set(e, ERR_USAGE, "the last reply has no code block %ld, but %zu: %s%s", n, f->n, list.p,
		        f->n > 9 ? " and others" : "");
	buf_release(&list);
	return -1;
}

static const struct exchange *last_reply(const struct conversation *c)
{
	for (size_t i = c->n; i > 0; i--)
		if (conversation_exchange(c, i - 1)->answer.n)
			return conversation_exchange(c, i - 1);
	return NULL;
}

/* Block `n` of it, or with 0 all of it. */
static int pick(struct chat *chat, long n, struct piece *p, struct err *e)
{
	const struct exchange *x;

	if (chat_reload(chat, e) < 0)
		return -1;
	x = last_reply(&chat->at.session.conversation);
	if (!x)
		return err_set(e, ERR_USAGE, "there is no reply yet");
	p->text = x->answer;
	snprintf(p->what, sizeof(p->what), "the reply");
	if (!n)
		return 0;
	if (fences_find(&p->blocks, x->answer, e) < 0)
		return -1;
	if ((size_t)n > p->blocks.n)
		return no_such_block(&p->blocks, n, e);
	p->text = buf_span(&p->blocks.v[n - 1].code);
	snprintf(p->what, sizeof(p->what), "code block %ld", n);
	return 0;
}

static void add_what(struct buf *b, const struct piece *p)
{
	size_t n = count_lines(p->text);

	buf_addf(b, "%zu line%s (%s)", n, n == 1 ? "" : "s", p->what);
}

/* ---- to the clipboard ---- */

static void tell_failed(void *ctx, const char *program, const struct err *why)
{
	struct err e = ERR_INIT;

	(void)ctx;
	err_set(&e, ERR_FAILED, "%s: %s", program, why->msg);
	chat_fail(&e);
}

static int copy(struct chat *chat, const struct piece *p, struct err *e)
{
	const struct config *cfg = &chat->tool.config;
	char **program = cfg->clipboard ? config_command(cfg->clipboard) : NULL;
	struct clip c = { .program = program, .terminal = STDOUT_FILENO, .stop_fd = chat->stop_fd,
		          .failed = tell_failed };
	char **envp = key_environment(cfg);
	struct buf line = BUF_INIT;
	const char *how = NULL;

	c.envp = envp;
	if (!envp || (cfg->clipboard && !program))
		err_oom(e);
	else
		how = clip_put(&c, p->text, e);
	if (how) {
		add_what(&line, p);
		if (c.left_out)
			buf_addf(&line, " without %zu control character%s", c.left_out, c.left_out == 1 ? "" : "s");
		command_tell("Copied %s by %s", line.p, how);
	}
	buf_release(&line);
	free(program);
	free(envp);
	return how ? 0 : -1;
}

bool command_copy(struct chat *chat, struct span args)
{
	struct piece p = PIECE_INIT;
	struct words w = WORDS_INIT;
	struct err e = ERR_INIT;
	long n = 0;
	int r = words_split(&w, args, &e);

	if (r == 0 && w.n > 1)
		r = err_set(&e, ERR_USAGE, "/copy takes the number of a code block, or nothing");
	if (r == 0 && w.n)
		r = cli_number(w.v[0], "the code block", 1, 1000000, &n, &e);
	if (r < 0 || pick(chat, n, &p, &e) < 0 || copy(chat, &p, &e) < 0)
		chat_fail(&e);
	fences_release(&p.blocks);
	words_release(&w);
	return true;
}

/* ---- to a file ---- */

struct saving {
	bool replace;
	long block;
	const char *path;
};

static int read_saving(struct saving *s, const struct words *w, struct err *e)
{
	size_t i = 0;

	if (i < w->n && strcmp(w->v[i], "-f") == 0)
		s->replace = ++i;
	if (w->n - i == 2 && cli_number(w->v[i++], "the code block", 1, 1000000, &s->block, e) < 0)
		return -1;
	if (w->n - i != 1)
		return err_set(e, ERR_USAGE, "/save [-f] [N] FILE saves the last reply, or its code block N; quote "
		               "a name with blanks");
	s->path = w->v[i];
	if (utf8_has_control(span_str(s->path)))
		return err_set(e, ERR_USAGE, "the file's name holds a control character");
	if (!s->block && s->path[strspn(s->path, "0123456789")] == '\0')
		return err_set(e, ERR_USAGE, "which file? '/save %s FILE' saves code block %s (a file of that name is "
		               "'./%s')", s->path, s->path, s->path);
	return 0;
}

/* The whole command, for the same text and the same file. */
static int advise_replace(const struct saving *s, struct err *e)
{
	struct buf command = BUF_INIT;

	buf_adds(&command, "/save -f ");
	if (s->block)
		buf_addf(&command, "%ld ", s->block);
	words_quote(&command, span_str(s->path));
	err_clear(e);
	err_set(e, ERR_EXISTS, "'%s' already exists; '%s' replaces it", s->path, command.p);
	buf_release(&command);
	return -1;
}

/* A line ends with a newline in a file, also where the model left it out. */
static int save(const struct piece *p, const struct saving *s, struct err *e)
{
	struct buf b = BUF_INIT;
	int r;

	buf_add(&b, p->text.p, p->text.n);
	if (b.n && b.p[b.n - 1] != '\n')
		buf_addc(&b, '\n');
	r = buf_check(&b, e) < 0 ? -1 : save_file(s->path, buf_span(&b), s->replace, e);
	buf_release(&b);
	return r < 0 && e->kind == ERR_EXISTS ? advise_replace(s, e) : r;
}

bool command_save(struct chat *chat, struct span args)
{
	struct piece p = PIECE_INIT;
	struct words w = WORDS_INIT;
	struct saving s = { false, 0, "" };
	struct buf line = BUF_INIT;
	struct err e = ERR_INIT;

	if (words_split(&w, args, &e) < 0 || read_saving(&s, &w, &e) < 0 ||
	    pick(chat, s.block, &p, &e) < 0 || save(&p, &s, &e) < 0) {
		chat_fail(&e);
	} else {
		add_what(&line, &p);
		command_tell("Saved %s as '%s'", line.p, s.path);
	}
	buf_release(&line);
	fences_release(&p.blocks);
	words_release(&w);
	return true;
}
