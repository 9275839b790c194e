/* Files that a prompt mentions: @main.c, @~/notes.md, @"with blanks.txt". */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"
#include "base/env.h"
#include "base/utf8.h"
#include "chat/chat.h"
#include "tty/neutral.h"

#define PASTED_TOLD 3 /* mentions that are named */

int chat_attach(struct chat *chat, const char *path, struct err *e)
{
	struct files *f = &chat->files;
	size_t n = f->nrefs;
	int r = files_attach(f, path, e);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (span_same(f->refs[i].sha256, f->refs[n].sha256) && span_same(f->refs[i].name, f->refs[n].name)) {
			files_take_back(f, n);
			break;
		}
	if (r < 0)
		files_detach_from(f, n);
	return r;
}

/* ---- the words ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_in(char c, const char *set)
{
	return c && strchr(set, c);
}

static bool begins_word(struct span text, size_t i)
{
	return i == 0 || is_blank(text.p[i - 1]) || is_in(text.p[i - 1], "([{<\"'`,;");
}

/* @"…": returns where it ends, or `i` when it does not. */
static size_t take_quoted(struct span text, size_t i, struct buf *name)
{
	size_t at = i + 1;

	for (; at < text.n && text.p[at] != '"' && text.p[at] != '\n'; at++) {
		if (text.p[at] == '\\' && at + 1 < text.n && is_in(text.p[at + 1], "\"\\"))
			at++;
		buf_addc(name, text.p[at]);
	}
	return at < text.n && text.p[at] == '"' ? at + 1 : i;
}

static size_t take_plain(struct span text, size_t i, struct buf *name)
{
	for (; i < text.n && !is_blank(text.p[i]); i++) {
		if (text.p[i] == '\\' && i + 1 < text.n && text.p[i + 1] != '\n')
			i++;
		buf_addc(name, text.p[i]);
	}
	return i;
}

/* ---- what they name ---- */

static bool is_there(const struct buf *name, size_t n, struct buf *path)
{
	struct buf cut = BUF_INIT;
	struct stat st;
	bool letters = false;

	for (size_t i = 0; i < n; i++)
		letters |= isalnum((unsigned char)name->p[i]) || (unsigned char)name->p[i] >= 0x80;
	buf_add(&cut, name->p, n);
	buf_clear(path);
	if (letters && !memchr(cut.p, '\0', cut.n))
		env_expand(path, cut.p);
	buf_release(&cut);
	return path->n && stat(path->p, &st) == 0;
}

static size_t without_punctuation(const struct buf *name, size_t n)
{
	while (n && is_in(name->p[n - 1], ".,;:!?)]}>'\"`*"))
		n--;
	return n;
}

/* A word ends with what a sentence, a list or a compiler puts behind a name: "@main.c,",
 * "(@main.c)", "@main.c's", "@main.c:12". Returns how much of it is the name; 0: none. */
static size_t find(const struct buf *name, bool quoted, struct buf *path)
{
	size_t n = name->n, inner = 0;

	if (is_there(name, n, path))
		return n;
	while (!quoted && n > without_punctuation(name, name->n))
		if (is_there(name, --n, path))
			return n;
	while (inner < n && !is_in(name->p[inner], ",;:'\")]}>`"))
		inner++;
	return !quoted && inner < n && is_there(name, inner, path) ? inner : 0;
}

/* Somebody's name is sent without a word; a path that leads nowhere may be a slip. */
static bool looks_like_path(const struct buf *name)
{
	size_t n = without_punctuation(name, name->n), dot = n;

	if (memchr(name->p, '@', n))
		return false;
	if (memchr(name->p, '/', n))
		return true;
	while (dot && isalnum((unsigned char)name->p[dot - 1]))
		dot--;
	return dot > 1 && dot < n && n - dot <= 5 && name->p[dot - 1] == '.';
}

static void tell_missing(const struct buf *name)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "'@%.*s' names no file that is there, and is sent as it stands",
	         (int)without_punctuation(name, name->n), name->p);
	say(line.p);
	buf_release(&line);
}

/* ---- whether it may be sent ---- */

/* A prompt whose mentions are looked at. */
struct mentions {
	struct chat *chat;
	struct buf pasted; /* mentions that were pasted, and so are not attached */
	size_t npasted;
};

/* Pasted text is often somebody else's: no file leaves on its word. */
static void note_pasted(struct mentions *m, struct span word)
{
	if (m->npasted++ < PASTED_TOLD)
		buf_addf(&m->pasted, "%s%.*s", m->npasted > 1 ? ", " : "", (int)word.n, word.p);
}

static void tell_pasted(const struct mentions *m)
{
	struct buf line = BUF_INIT;

	if (!m->npasted)
		return;
	buf_addf(&line, "not attached, because it was pasted: %s", m->pasted.p);
	if (m->npasted > PASTED_TOLD)
		buf_addf(&line, " and %zu more", m->npasted - PASTED_TOLD);
	buf_adds(&line, "; /attach FILE attaches a file");
	say(line.oom ? "the files that pasted text mentions are not attached" : line.p);
	buf_release(&line);
}

/* Where a link leads counts. The real path goes to *real. */
static bool is_outside(const char *path, struct buf *real)
{
	char *where = realpath(path, NULL), *here = realpath(".", NULL);
	size_t n = here ? strlen(here) : 0;
	bool outside;

	n -= n == 1; /* in the root directory there is nothing outside */
	outside = !where || !here || strncmp(where, here, n) != 0 || where[n] != '/';
	buf_adds(real, where ? where : path);
	free(where);
	free(here);
	return outside;
}

/* 1: it may be attached. 0: it may not, and the prompt is sent without it. -1: Ctrl-C. */
static int ask(struct chat *chat, const struct buf *real, struct err *e)
{
	struct buf line = BUF_INIT;
	int r;

	/* Keys typed before the question do not answer it. */
	if (edit_has_input(chat->editor)) {
		buf_addf(&line, "'%s' is outside the working directory, and is not attached without a question; "
		         "/attach attaches it", real->p);
		say(line.p);
		r = 0;
	} else {
		buf_adds(&line, "Attach '");
		neutral_add_line(&line, buf_span(real));
		buf_adds(&line, "', which is outside the working directory? [y/N] ");
		r = buf_check(&line, e) < 0 ? -1 : edit_ask(chat->editor, line.p, e);
	}
	buf_release(&line);
	return r;
}

static int attach(struct chat *chat, const struct buf *path, struct err *e)
{
	struct buf real = BUF_INIT;
	struct stat st;
	int r;

	if (stat(path->p, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE, "nothing is sent: '%s' is a folder; mention its files, or write \\@ "
		               "for a plain @", path->p);
	if (stat(path->p, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, "nothing is sent: '%s' is not a regular file; /attach reads a FIFO, and "
		               "\\@ is a plain @", path->p);
	r = is_outside(path->p, &real) ? ask(chat, &real, e) : 1;
	if (r > 0)
		r = chat_attach(chat, path->p, e);
	buf_release(&real);
	return r < 0 ? err_prefix(e, "nothing is sent") : 0;
}

/* The word behind the @ at `at`; `escaped` by a backslash, which goes where it was needed. Returns
 * its end, or 0 for an error. */
static size_t take_word(struct mentions *m, struct span text, size_t at, bool escaped, struct buf *sent,
                        struct err *e)
{
	struct buf name = BUF_INIT, path = BUF_INIT;
	struct span word;
	bool quoted = at + 1 < text.n && text.p[at + 1] == '"';
	size_t end = quoted ? take_quoted(text, at + 1, &name) : take_plain(text, at + 1, &name), found;
	int r = 0;

	found = end > at + 1 && name.n ? find(&name, quoted, &path) : 0;
	if (found && end - at - 1 == name.n) /* as it stands there: what is behind may be another */
		end = at + 1 + found;
	if (escaped && !found)
		buf_addc(sent, '\\');
	buf_add(sent, text.p + at, end - at);
	word = (struct span){ text.p + at, end - at };
	if (found && !escaped && edit_was_pasted(m->chat->editor, word))
		note_pasted(m, word);
	else if (found && !escaped)
		r = attach(m->chat, &path, e);
	else if (!found && !escaped && !edit_was_pasted(m->chat->editor, word) && end > at + 1 && (quoted || looks_like_path(&name)))
		tell_missing(&name);
	buf_release(&name);
	buf_release(&path);
	return r < 0 ? 0 : end;
}

static int take_words(struct mentions *m, struct span text, struct buf *sent, struct err *e)
{
	for (size_t i = 0; i < text.n;) {
		bool escaped = i + 1 < text.n && text.p[i] == '\\' && text.p[i + 1] == '@';

		if ((escaped || text.p[i] == '@') && begins_word(text, i)) {
			i = take_word(m, text, i + escaped, escaped, sent, e);
			if (!i)
				return -1;
		} else {
			buf_addc(sent, text.p[i++]);
		}
	}
	return buf_check(sent, e);
}

int chat_mention(struct chat *chat, struct span prompt, struct buf *sent, struct err *e)
{
	struct mentions m = { chat, BUF_INIT, 0 };
	size_t n = chat->files.nrefs;
	int r = take_words(&m, prompt, sent, e);

	if (r == 0)
		tell_pasted(&m);
	buf_release(&m.pasted);
	if (r < 0)
		files_detach_from(&chat->files, n);
	if (chat->files.nrefs > n)
		print_attachments(stderr, chat->files.refs + n, chat->files.nrefs - n, 0, true);
	return r;
}

int chat_say(struct chat *chat, struct span typed)
{
	struct buf text = BUF_INIT, sent = BUF_INIT;
	struct err e = ERR_INIT;
	int status;

	buf_add(&text, typed.p, typed.n);
	if (chat->files.replace_invalid)
		utf8_clean(&text);
	if (buf_check(&text, &e) < 0 || check_prompt(buf_span(&text), &e) < 0 ||
	    chat_mention(chat, buf_span(&text), &sent, &e) < 0)
		status = chat_fail(&e);
	else
		status = chat_turn(chat, buf_span(&sent));
	buf_release(&text);
	buf_release(&sent);
	return status;
}
