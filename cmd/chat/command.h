/*
 * The commands of a conversation. Which there are says one table, in chat-command.c. Each gets
 * what followed its name, without blanks around it, says on standard error what there is to say,
 * and returns false when the user leaves.
 */
#ifndef CMD_CHAT_COMMAND_H
#define CMD_CHAT_COMMAND_H

#include "chat/chat.h"

struct command {
	const char *name;
	const char *args; /* as /help shows them; "" for none, and then none are accepted */
	const char *help; /* one line, lower case, no full stop */
	enum arg_kind kind; /* what its operands are: how they are completed */
	bool (*run)(struct chat *chat, struct span args); /* false when the user leaves */
};

/* In the order in which /help shows them; the last one has no name. */
extern const struct command chat_commands[];

/* chat-command-session.c: which session, and what it is */
bool command_new(struct chat *chat, struct span args);
bool command_use(struct chat *chat, struct span args);
bool command_model(struct chat *chat, struct span args);
bool command_system(struct chat *chat, struct span args);
bool command_title(struct chat *chat, struct span args);

/* chat-pick.c */
bool command_sessions(struct chat *chat, struct span args);

/* chat-command-turn.c: the last exchange */
bool command_undo(struct chat *chat, struct span args);
bool command_retry(struct chat *chat, struct span args);
bool command_edit(struct chat *chat, struct span args);

/* chat-command-files.c: files that go along, and what becomes of a reply */
bool command_attach(struct chat *chat, struct span args);
bool command_detach(struct chat *chat, struct span args);
bool command_copy(struct chat *chat, struct span args);
bool command_save(struct chat *chat, struct span args);

/* chat-command-usage.c: tokens, and how to need fewer */
bool command_usage(struct chat *chat, struct span args);
bool command_compact(struct chat *chat, struct span args);

/* chat-complete.c: what a word of a command may become */
void chat_complete(const struct chat *chat, struct edit_completion *c);

/* A line for the person, made harmless. */
void command_tell(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* chat_fail(), and true: the user stays. */
bool command_fail(const struct err *e);
/* Adds the first line of a text that is not blank, harmless and not too long, as a title is. */
void command_add_excerpt(struct buf *b, struct span text);

#endif
