/*
 * Finds what is wrong in the bytes of a history: which lines are not records, which records are stored
 * twice, and what the records refer to in artifacts/. Or which lines of removed.jsonl are not valid. Only
 * memory is read.
 *
 * The last line of an exchange decides what the exchange is, and makes it the head. So if an exchange is
 * stored more than once, the version that counts takes the place of the last line: the head, and with it
 * the conversation, does not change.
 */
#ifndef STORE_CHECK_SCAN_H
#define STORE_CHECK_SCAN_H

#include "base/lookup.h"
#include "base/sha256.h"
#include "store/check.h"
#include "store/jsonl.h"

struct bad_line {
	size_t start, n; /* bytes, with the newline where there is one */
	size_t line;     /* from 1 */
	enum finding_kind kind;
	bool stays;      /* it is not moved: it only lacks its line feed, or is needed */
	bool differs;    /* a duplicate is another version of the record that counts */
	bool exchange;   /* a duplicate is of an exchange */
	bool needed;     /* without this duplicate, the conversation would change */
	bool itself;     /* with the duplicates, an exchange follows itself */
	bool leaves;     /* not bad itself: it moves to the place of a later duplicate */
	struct span instead; /* replaces a duplicate; p == NULL: nothing does */
	size_t whole;    /* records on it, between NUL bytes */
};

/* A whole record on a line with NUL bytes: a repair gives it a line of its own. */
struct scan_piece {
	size_t start, n; /* n is 0 for a duplicate */
	size_t from;     /* where the record is that is kept; nearly always `start` */
};

/* A reference of a record to a file in artifacts/. */
struct scan_ref {
	char sha256[SHA256_HEX];
	size_t start, n, line; /* the record */
	size_t attachment;     /* its number in the record; REF_OUTPUT: the whole output of a result */
};
#define REF_OUTPUT SIZE_MAX

struct scan {
	struct bad_line *bad; /* owned; in the order of the file */
	size_t nbad;
	size_t lines;
	struct scan_piece *pieces; /* owned; in the order of the file */
	size_t npieces;
	struct scan_ref *refs; /* owned; in the order of the digests, then of the file */
	size_t nrefs;
	bool head;     /* the file has a valid session record */
	bool version;  /* the first line is of another version: nothing else was read */
	bool torn;     /* the last line lacks only its newline */
	bool orphans;  /* an exchange has no parent member */

	bool removals; /* the rest is private: the file is removed.jsonl */
	struct seen *seen;
	struct lookup by_identity; /* of `seen` */
	size_t bad_cap, pieces_cap, nseen, seen_cap, refs_cap;
};

/* `tail`: whether to judge the bytes after the last newline. Without the lock, a record that is being written
 * may be there. */
int scan_history(struct scan *s, const struct jsonl *j, bool tail, struct err *e);
int scan_removed(struct scan *s, const struct jsonl *j, bool tail, struct err *e);
void scan_release(struct scan *s);
/* Sets the error to what is wrong with the line. */
void scan_explain(const struct scan *s, const struct bad_line *bad, const struct jsonl *j,
                  struct err *why);

#endif
