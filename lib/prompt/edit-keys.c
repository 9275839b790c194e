/* What keys do at the prompt, beyond what readline has. */
#include <stdlib.h>
#include <string.h>

#include "prompt/edit-line.h"
#include "prompt/edit-text.h"
#include "prompt/editor.h"

extern char **environ;

static struct span line_now(void)
{
	return (struct span){ *edit_rl.rl_line_buffer, (size_t)*edit_rl.rl_end };
}

static int put_newline(int count, int key)
{
	(void)count, (void)key;
	edit_rl.rl_insert_text("\n");
	return 0;
}

static int enter(int count, int key)
{
	switch (edit_text_enter(line_now())) {
	case EDIT_QUOTED:
		return put_newline(count, key);
	case EDIT_BACKSLASH:
		edit_rl.rl_begin_undo_group();
		*edit_rl.rl_point = *edit_rl.rl_end - 1;
		edit_rl.rl_delete_text(*edit_rl.rl_point, *edit_rl.rl_end);
		put_newline(count, key);
		edit_rl.rl_end_undo_group();
		return 0;
	case EDIT_ENDS:
		break;
	}
	return edit_rl.rl_newline(count, key);
}

/* ---- a paste ---- */

#define PASTE_END "\033[201~"
#define PASTE_NEND 6

/* What terminals send for an end of line in a paste is a carriage return. */
static void insert_pasted(struct buf *b)
{
	size_t to = 0;

	for (size_t i = 0; i < b->n; i++)
		if (b->p[i] != '\0' && !(b->p[i] == '\n' && i && b->p[i - 1] == '\r'))
			b->p[to++] = b->p[i];
	for (size_t i = 0; i < to; i++)
		if (b->p[i] == '\r')
			b->p[i] = '\n';
	if (b->cap)
		b->p[to] = '\0';
	edit_note_pasted(edit_now, (struct span){ b->p, to });
	if (to)
		edit_rl.rl_insert_text(b->p);
}

/* Whether somebody who waits for the end of a paste, which is not coming, pressed Ctrl-C. */
static bool is_given_up(const struct buf *all)
{
	return all->n && edit_input_is_interrupt(all->p[all->n - 1]) && !edit_input_soon();
}

/* Before what is still to come of keys that were typed ahead. */
static void give_back(struct span keys)
{
	struct buf *pending = &edit_now->lines.pending, all = BUF_INIT;

	buf_add(&all, keys.p, keys.n);
	buf_add(&all, pending->p, pending->n);
	buf_release(pending);
	*pending = all;
}

/* All up to the sequence that ends it, in large pieces; what came behind that is for later. */
static int paste(int count, int key)
{
	struct buf all = BUF_INIT;
	char *end = NULL;
	size_t got = 1;

	(void)count, (void)key;
	while (!end && got) {
		size_t from = all.n > PASTE_NEND ? all.n - PASTE_NEND : 0;
		char *room = buf_room(&all, 4096);

		if (!room)
			break;
		got = edit_input_bytes(room, 4096);
		all.n += got;
		end = memmem(all.p + from, all.n - from, PASTE_END, PASTE_NEND);
		if (!end && is_given_up(&all)) {
			all.n--;
			got = 0;
			edit_input_interrupt();
		}
	}
	if (end) {
		size_t n = (size_t)(end - all.p);

		give_back((struct span){ end + PASTE_NEND, all.n - n - PASTE_NEND });
		all.n = n;
	}
	insert_pasted(&all);
	buf_release(&all);
	return 0;
}

/* ---- between the lines of a text ---- */

static size_t line_start(struct span text, size_t at)
{
	while (at && text.p[at - 1] != '\n')
		at--;
	return at;
}

static bool begins_char(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t column(struct span text, size_t from, size_t to)
{
	size_t n = 0;

	for (; from < to; from++)
		n += begins_char(text.p[from]);
	return n;
}

/* The character number `n` of the line that begins at `at`, or its end. */
static size_t at_column(struct span text, size_t at, size_t n)
{
	while (at < text.n && text.p[at] != '\n') {
		if (begins_char(text.p[at]) && n-- == 0)
			break;
		at++;
	}
	return at;
}

static int up(int count, int key)
{
	struct span text = line_now();
	size_t point = (size_t)*edit_rl.rl_point, start = line_start(text, point);

	if (!start)
		return edit_rl.rl_get_previous_history(count, key);
	point = at_column(text, line_start(text, start - 1), column(text, start, point));
	*edit_rl.rl_point = (int)point;
	return 0;
}

static int down(int count, int key)
{
	struct span text = line_now();
	size_t point = (size_t)*edit_rl.rl_point, start = line_start(text, point);
	const char *end = memchr(text.p + point, '\n', text.n - point);

	if (!end)
		return edit_rl.rl_get_next_history(count, key);
	point = at_column(text, (size_t)(end - text.p) + 1, column(text, start, point));
	*edit_rl.rl_point = (int)point;
	return 0;
}

/* ---- the editor ---- */

static void replace_line(const struct buf *b)
{
	edit_rl.rl_begin_undo_group();
	edit_rl.rl_delete_text(0, *edit_rl.rl_end);
	*edit_rl.rl_point = 0;
	edit_rl.rl_insert_text(b->p);
	edit_rl.rl_end_undo_group();
}

static int open_editor(int count, int key)
{
	struct edit *ed = edit_now;
	struct buf text = BUF_INIT;
	struct err e = ERR_INIT;
	int r;

	(void)count, (void)key;
	edit_line_leave();
	r = editor_edit(line_now(), ed->o.envp ? ed->o.envp : environ, &text, &e);
	edit_line_put("\r\033[K"); /* a ^C that the terminal echoed */
	if (r == 0)
		replace_line(&text);
	else if (ed->o.failed)
		ed->o.failed(ed->o.ctx, &e);
	edit_line_enter();
	buf_release(&text);
	return 0;
}

/* ---- which key does what ---- */

struct binding {
	const char *keys;
	rl_command_func_t *run;
	const char *over; /* what the keys may do so far, besides nothing */
	bool command;     /* in vi's command mode, too */
};

static const struct binding bindings[] = {
	{ "\r", enter, "accept-line", true },
	{ "\n", enter, "accept-line", true },
	{ "\033\r", put_newline, "vi-editing-mode", false },
	{ "\033\n", put_newline, "vi-editing-mode", false },
	{ "\033[13;2u", put_newline, NULL, false },   /* Shift-Enter, as kitty's protocol has it */
	{ "\033[13;3u", put_newline, NULL, false },   /* Alt-Enter */
	{ "\033[27;2;13~", put_newline, NULL, false }, /* the same two, as xterm's has them */
	{ "\033[27;3;13~", put_newline, NULL, false },
	{ "\033[200~", paste, "bracketed-paste-begin", true },
	{ "\033[A", up, "previous-history", false },
	{ "\033OA", up, "previous-history", false },
	{ "\033[B", down, "next-history", false },
	{ "\033OB", down, "next-history", false },
	{ "\030\005", open_editor, NULL, false },
};

/* What the user's inputrc says of these keys stays. */
static void bind(const struct binding *b, const char *map_name)
{
	Keymap map = edit_rl.rl_get_keymap_by_name(map_name);
	int type = ISFUNC;
	rl_command_func_t *now;

	if (!map)
		return;
	now = edit_rl.rl_function_of_keyseq_len(b->keys, strlen(b->keys), map, &type);
	if (now && (type != ISFUNC || !b->over || now != edit_rl.rl_named_function(b->over)))
		return;
	edit_rl.rl_bind_keyseq_in_map(b->keys, b->run, map);
}

void edit_keys_bind(void)
{
	static const struct binding vi_editor = { "v", open_editor, NULL, true };

	for (size_t i = 0; i < sizeof(bindings) / sizeof(bindings[0]); i++) {
		bind(&bindings[i], "emacs");
		bind(&bindings[i], "vi-insert");
		if (bindings[i].command)
			bind(&bindings[i], "vi-command");
	}
	bind(&vi_editor, "vi-command");
}
