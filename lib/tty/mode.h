/*
 * The terminal's mode while a reply runs, and the keys typed during that time.
 *
 *	mode_begin(in, out, paste, &e)   a conversation begins: the mode is remembered
 *	  mode_quiet()                   a reply runs
 *	    mode_relieve() …             again and again
 *	  mode_hold()                    the user stopped it
 *	  mode_usual()                   as it was: for the editor of prompts, for other programs
 *	  mode_give(&keys)               what of it is no longer in the terminal
 *	mode_end()                       as it was
 *
 * Quiet: no echo and no lines, Enter is "\r", but Ctrl-C and Ctrl-Z are signals, which throw
 * nothing away that was typed; output is as ever. What is typed stays in the terminal's queue
 * and survives a change of the mode, so that it is there for whoever asks next, the shell
 * too. But the queue holds 4 KB, and keeps a Ctrl-C waiting that comes behind that: when it
 * fills up, mode_relieve() takes it into memory. After mode_usual() a program can read it that
 * draws what it reads; to the terminal's own line editing it would be one finished line without
 * an echo. So for that, call mode_take() first.
 *
 * With `paste` the terminal is asked to mark what is pasted (CSI ? 2004 h, "bracketed paste")
 * as long as it is quiet.
 *
 * From mode_begin() on the terminal is put right after any end but SIGKILL: a crash, Ctrl-\, an
 * exit. What was typed is dropped where it would be taken for commands by the shell. Ctrl-Z
 * gives the shell the terminal as it was, and keeps what was typed; the mode is back when
 * the process goes on in the foreground. In the background nothing here touches the terminal:
 * mode_quiet() and mode_usual() stop the process, since what follows them wants it.
 * (There is one terminal, and signals are process-wide: this module has state, as stop.h's.)
 * Where `in` is no terminal, nothing here does anything.
 */
#ifndef TTY_MODE_H
#define TTY_MODE_H

#include "base/buf.h"

/* `in` is read; `out` gets the sequences, and is -1 where the terminal knows none. */
int mode_begin(int in, int out, bool paste, struct err *e);
void mode_quiet(void);
void mode_usual(void);
void mode_end(void);

/* While it is quiet: takes what was typed into memory if the queue fills up. Returns the ms
 * after which to look again. */
int mode_relieve(void);
/* The same, whatever is in the queue. */
void mode_take(void);
/* Adds what was taken to *keys, the oldest first, as the terminal sent it. */
void mode_give(struct buf *keys);

/* While it is quiet: a Ctrl-C stopped the reply. What was typed ahead of that is taken, and is
 * not lost, but is not to be sent by itself either: an Enter in it becomes one that only begins a
 * line (a pasted one; without `paste`, one behind a backslash). */
void mode_hold(void);

/* Whether a conversation has begun, and not ended. */
bool mode_begun(void);
/* Something covers the screen; the sequence takes it off, and is written first when the terminal
 * is put right after another end. NULL: nothing does any more. */
void mode_cover(const char *sequence);

/* Whether the process was stopped and goes on in the foreground, since this was last asked: what
 * stood on the screen's last line is to be drawn again. */
bool mode_resumed(void);

/* For stop.c, in its signal handlers: a Ctrl-C came now; and, also outside of a conversation, the
 * process goes on. */
void mode_note_stop(void);
void mode_note_continue(void);

#endif
