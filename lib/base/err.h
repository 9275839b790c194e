/*
 * What went wrong, as one sentence a person can act on.
 *
 * A library function that fails returns -1 and fills a struct err; it prints
 * nothing. The first cause wins: once a message is set, err_set() keeps it, and
 * callers add context with err_prefix(). The tool prints the message and turns
 * the kind into its exit status. A struct err owns nothing.
 *
 *	struct err e = ERR_INIT;
 *	if (session_open(&s, store, id, &e) < 0)
 *		return fail(&e);
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_kind {
	ERR_NONE = 0,
	ERR_FAILED,      /* anything without a kind of its own */
	ERR_USAGE,       /* the command line or an operand is wrong */
	ERR_NOT_FOUND,   /* no such session */
	ERR_EXISTS,      /* that session is there already */
	ERR_GONE,        /* the session was removed while it was in use */
	ERR_NETWORK,     /* the provider or the way to it failed */
	ERR_UNSTORED,    /* a reply arrived and could not be stored */
	ERR_BUSY,        /* another process holds the session */
	ERR_INTERRUPTED, /* the user stopped it */
	ERR_NO_LOCKS,    /* the file system has no locks, so that nothing can be written safely */
	ERR_DAMAGED,     /* a text or file that is not what it should be */
	ERR_VERSION,     /* a file of a format that this mcbox does not know */
};

struct err {
	enum err_kind kind;
	char msg[1024];
};

#define ERR_INIT { ERR_NONE, "" }

#if defined(__GNUC__)
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#else
#define PRINTF_LIKE(f, a)
#endif

/* All of these return -1, so that "return err_set(…)" reads well. */
int err_set(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Appends ": " and the text of errno value `errnum`. */
int err_sys(struct err *e, int errnum, const char *fmt, ...) PRINTF_LIKE(3, 4);
int err_oom(struct err *e);
/* Puts "prefix: " before the message that is there. */
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Appends to the message, if there is one. */
int err_suffix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
void err_clear(struct err *e);

#endif
