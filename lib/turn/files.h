/*
 * The files that are sent with prompts: read where the user names them, stored with the
 * session, and found again for the later turns, which send them again.
 *
 *	files_attach(&f, path, &e)              once for each, before anything else is done
 *	turn.attachments = f.refs …
 *	files_store(&f, x.dir, &exchange, &e)   their content is on the disk
 *	parcel_fill(&p, &f, …)                  what the request holds of them
 *	files_detach(&f)                        the next prompt has none
 *	files_release(&f)
 */
#ifndef TURN_FILES_H
#define TURN_FILES_H

#include "provider/provider.h"
#include "store/session.h"
#include "turn/context.h"

#define FILES_MAX (128u << 20) /* bytes, of all files of a request */

struct files {
	struct file **known; /* contents, each once; of the prompt, and of the turns before it */
	size_t nknown, known_cap;
	struct attachment_ref *refs; /* what is attached to the next prompt */
	size_t nrefs, refs_cap;
	int64_t size; /* of those together */
	bool replace_invalid; /* text that is not UTF-8 is attached with U+FFFD for each such byte */
	bool stdin_read;
	int stop_fd;  /* becomes readable when the user wants to stop waiting for a FIFO; or -1 */
	void (*waiting)(const char *path); /* nothing comes from there; NULL, or called once for a path */
};
#define FILES_INIT { NULL, 0, 0, NULL, 0, 0, 0, false, false, -1, NULL }
void files_release(struct files *f);

/* Reads a file, a FIFO to its end, or with "-" or "/dev/stdin" standard input, and adds it to the
 * files of the next prompt. ERR_USAGE for a file that cannot be attached. */
int files_attach(struct files *f, const char *path, struct err *e);
/* Whether that is standard input, which can be read once. */
bool files_is_stdin(const char *path);
/* The same with those of an earlier exchange, whose content is with the session. One that goes
 * along already does so once. */
int files_attach_again(struct files *f, const struct exchange *x, struct err *e);
void files_detach(struct files *f);
/* Only those from the `n`-th on. */
void files_detach_from(struct files *f, size_t n);
/* Takes number `i` of them back. */
void files_take_back(struct files *f, size_t i);

/* Stores the content of the exchange's files, which are known, in the session's folder. */
int files_store(const struct files *f, int dir, const struct exchange *x, struct err *e);

/* The files of one request. It owns the lists that the turns point to. */
struct parcel {
	struct attachment *v;
	size_t n;
};
#define PARCEL_INIT { NULL, 0 }

/*
 * Adds to each turn of the context, and to its prompt, the files of the exchange that it comes from,
 * and those of its steps' results; `asked` is the prompt's. Those that are not known are read from folder
 * `dir` of the session, or are missing where `dir` is -1. One that is missing or damaged, or for which
 * there is no room behind those of later turns, is replaced by a line of text, and told.
 */
int parcel_fill(struct parcel *p, struct files *f, const struct store *s, int dir, struct context *cx,
                const struct exchange *asked, struct err *e);
void parcel_release(struct parcel *p);

#endif
