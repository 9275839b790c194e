/*
 * How a turn appears while it runs: as the reply's text, as the exchange's record when it
 * is over, as events, or, where another process runs it, as mc-session-cat prints exchanges.
 * mc-chat(1) documents the events. All of them are made of the turn's events (turn/events.h).
 */
#ifndef CMD_SHOW_H
#define CMD_SHOW_H

#include "config/config.h"
#include "reading.h"
#include "turn/events.h"
#include "tty/neutral.h"

enum show_form { SHOW_TEXT, SHOW_RECORD, SHOW_EVENTS, SHOW_TRANSCRIPT };

struct show {
	enum show_form form;
	bool terminal;        /* stdout is one */
	bool reasoning;       /* is to be shown, on stderr */
	bool plain;           /* nothing is to be drawn that is then written over */
	struct buf *out;      /* what is shown is added here; NULL: it is written to stdout at once */
	struct dress *dress;  /* the text is Markdown, and shown as what it means; see show_dress() */

	int write_error;      /* errno of the first failed write to stdout */
	struct neutral text, thought;
	struct buf held;      /* of an event: the beginning of a character that is not all there */
	enum turn_event_kind held_part;
	bool mid_line, mid_thought;
	struct buf called;    /* the name of the first tool that the model called; */
	size_t calls;         /* and how many calls there were */
	bool any;             /* of a transcript: something came before; */
	struct reading *stored; /* and how its stored exchanges are shown */
	bool told_summary;    /* that the model gets one */
	bool waited;          /* a wait for another attempt was told, and is not over */
	struct idle *idle; /* that calls show_tick(); or NULL */
	int64_t since;        /* when the turn began, ms of the steady clock; 0: its reply has */
};

#define SHOW_INIT { .text = NEUTRAL_INIT, .thought = NEUTRAL_INIT, .held = BUF_INIT, .called = BUF_INIT }

/* Replies are shown as Markdown, where the terminal and the user's settings allow it and md4c is
 * there. The settings must stay. */
void show_dress(struct show *s, const struct config *c);
/* Likewise for a transcript, as it was chosen for stored exchanges; `r` must stay. */
void show_dress_as(struct show *s, struct reading *r);

/* The turn begins. Until its reply does, at a terminal, show_tick() shows for how long, and then
 * what of the text had to wait; to be called again after as many ms as it returns, or not at
 * all (-1). */
void show_begin(struct show *s);
int64_t show_tick(struct show *s);
/* The same for a struct idle whose ctx is a struct show: calls it, and sets its `due`. */
void show_look(struct idle *m);
/* Something is about to be shown: that goes. */
void show_came(struct show *s);
/* Text that came faster than it could be drawn: as show_tick(). */
int64_t show_late(struct show *s);
/* For struct turn_input; ctx is a struct show. Errors are for whoever runs the turn to say, except
 * where events are printed. */
void show_event(void *ctx, const struct turn_event *ev);
/* For the struct client of another request. */
void show_wait(void *ctx, const struct client_wait *w);
/* In a transcript: an empty line, except before the first thing; and a stored exchange, with that. */
void show_separate(struct show *s);
void show_stored_exchange(struct show *s, const struct exchange *x);
/* Nothing more comes at the moment, or it was `found` that more does: text that was put off is drawn
 * if there is time. */
void show_pause(struct show *s, bool found);
/* The reply breaks off; the cursor goes to the beginning of a line. */
void show_break(struct show *s);
/* A turn that could not begin. */
void show_error(struct show *s, const struct err *e, int status);
void show_release(struct show *s);

#endif
