/*
 * What is wrong in a history's bytes: which of its lines are not records, and which records are
 * there twice; and what they refer to in artifacts/. Or which lines of removed.jsonl are not what
 * they should be. Looks at memory only.
 *
 * The last line of an exchange says what it is and where the head was. So of an exchange that is
 * there more than once, the version that counts takes the place of the last one: the head, and with
 * it the conversation, stays what it is.
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
	bool stays;      /* nothing is to be moved: it only lacks its line feed, or is needed */
	bool differs;    /* a duplicate is not the same as the record that counts */
	bool exchange;   /* a duplicate is of an exchange */
	bool needed;     /* a duplicate is, so that the conversation stays what it is */
	bool itself;     /* with the duplicates, an exchange follows itself: without, it is elsewhere */
	bool leaves;     /* not bad itself: it takes the place of a duplicate after it */
	struct span instead; /* what takes the place of a duplicate; p == NULL: nothing */
	size_t whole;    /* records on it, between NUL bytes */
};

/* A whole record on a line with NUL bytes: a repair gives it a line of its own. */
struct scan_piece {
	size_t start, n; /* n is 0 for a record that is there twice */
	size_t from;     /* where the record is that stays; nearly always the same as `start` */
};

/* What a record refers to in artifacts/. */
struct scan_ref {
	char sha256[SHA256_HEX];
	size_t start, n, line; /* the record */
	size_t attachment;     /* which of its attachments; REF_OUTPUT: a result's whole output */
};
#define REF_OUTPUT SIZE_MAX

struct scan {
	struct bad_line *bad; /* owned; in the order of the file */
	size_t nbad;
	size_t lines;
	struct scan_piece *pieces; /* owned; in the order of the file */
	size_t npieces;
	struct scan_ref *refs; /* owned; in the order of the digests, and of the file for each */
	size_t nrefs;
	bool head;     /* a valid session record is there */
	bool version;  /* the first line is of another version: nothing else was looked at */
	bool torn;     /* the last line has no newline, and would be a record with it */
	bool orphans;  /* an exchange does not say its parent */

	bool removals; /* the rest is private: the lines are those of removed.jsonl */
	struct seen *seen;
	struct lookup by_identity; /* of these */
	size_t bad_cap, pieces_cap, nseen, seen_cap, refs_cap;
};

/* `tail`: whether the bytes behind the last newline are to be judged; a record that is
 * being written is there, too. */
int scan_history(struct scan *s, const struct jsonl *j, bool tail, struct err *e);
int scan_removed(struct scan *s, const struct jsonl *j, bool tail, struct err *e);
void scan_release(struct scan *s);
/* Sets the error to what is wrong with a line. */
void scan_explain(const struct scan *s, const struct bad_line *bad, const struct jsonl *j,
                  struct err *why);

#endif
