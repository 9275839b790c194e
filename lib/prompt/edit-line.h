/*
 * The way with readline, for edit.c and the files beside this one. A text is edited in
 * readline's one state; `edit_now` is who it is for.
 */
#ifndef PROMPT_EDIT_LINE_H
#define PROMPT_EDIT_LINE_H

#include "prompt/edit.h"
#include "prompt/readline.h"

extern struct readline edit_rl;
extern struct edit *edit_now;

/* Once for a process. */
int edit_line_start(struct edit *ed, struct err *e);
void edit_line_end(void);
/* As edit_read(), with ed->text as what was typed. */
int edit_line_read(struct edit *ed, const char *prompt, const char *draft, struct err *e);
void edit_line_recall(struct edit *ed, struct span text);

/* Writes to the terminal, behind all that readline wrote. */
void edit_line_put(const char *s);
/* To another program and back: the terminal's mode and the signals are as they were, and
 * the cursor is below the text, which is drawn again. */
void edit_line_leave(void);
void edit_line_enter(void);
/* No key comes any more: what is in the line goes to ed->text. */
void edit_line_give_up(void);

/* ---- edit-input.c: keys, and the terminal's mode and signals while they are read ---- */

int edit_input_start(struct err *e);
void edit_input_end(void);
void edit_input_begin(void); /* a text */
void edit_input_signals(bool on);

/* Why no more keys come. */
struct edit_input {
	bool gone;        /* they do not: for the reason below, a signal, or the terminal's end */
	bool interrupted; /* the key for Ctrl-C */
	bool keep_mode;   /* another text follows at once: what is typed in between is for that */
};
extern struct edit_input edit_input;

/* The bytes that are there, at most `n`; at least one, for which it waits; 0: no more come. */
size_t edit_input_bytes(char *p, size_t n);
/* Whether more come at once, or at least soon. */
bool edit_input_soon(void);
/* Whether this is the key for Ctrl-C; and what it does when it is. */
bool edit_input_is_interrupt(char key);
void edit_input_interrupt(void);

/* ---- edit-keys.c: what keys do, beyond what readline has ---- */

/* After rl_initialize(). */
void edit_keys_bind(void);

/* ---- edit-complete.c ---- */

void edit_complete_setup(void);

/* ---- edit-show.c: readline's redisplay, for texts that are higher than the window, too ---- */

void edit_show(void);
/* At the start of a text. */
void edit_show_anew(void);
/* Asks for the window's size. */
void edit_show_measure(void);
/* The window has another size now. */
void edit_show_resized(void);

#endif
