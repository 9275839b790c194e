/* The check of a session's attachments. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/artifact.h"
#include "store/check-parts.h"
#include "store/check-scan.h"
#include "store/place.h"

struct shelf {
	struct check *c;
	const struct session *x;
	const char *path; /* of the folder, relative to the sessions directory */
	int fd;           /* -1: it is missing */
};

static struct spot artifact_spot(const struct shelf *a, const char *name)
{
	return (struct spot){ a->x->id, a->path, name, 0 };
}

/* Compares a file with its name. Its kind, owner and mode were checked before. Other names are not the
 * tools' own. */
static void check_artifact_file(struct shelf *a, const char *name)
{
	struct spot at = artifact_spot(a, name);
	struct err why = ERR_INIT;
	struct stat st, above;

	if (!sha256_valid(span_str(name)))
		return;
	if (fstatat(a->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || fstat(a->fd, &above) < 0) {
		if (errno != ENOENT) /* moved to quarantine just now */
			check_unreadable(a->c, &at, strerror(errno));
		return;
	}
	if (S_ISDIR(st.st_mode)) {
		check_move(a->c, FINDING_SPECIAL, a->fd, &at, "a folder, where a file belongs");
		return;
	}
	if (place_judge(&st, false, above.st_uid) != PLACE_FINE ||
	    artifact_check(a->fd, name, &why) == 0)
		return;
	if (why.kind == ERR_DAMAGED)
		check_move(a->c, FINDING_ARTIFACT, a->fd, &at, why.msg);
	else if (why.kind != ERR_NOT_FOUND)
		check_unreadable(a->c, &at, why.msg);
}

static int check_files(struct shelf *a, bool locked, struct err *e)
{
	struct names names;

	if (names_read(&names, a->fd, e) < 0)
		return err_prefix(e, "'%s/%s'", a->x->store->dir, a->path);
	for (size_t i = 0; i < names.n; i++) {
		struct spot at = artifact_spot(a, names.v[i]);

		if (strcmp(names.v[i], ARTIFACT_TEMP) == 0 && locked)
			check_move(a->c, FINDING_LEFTOVER, a->fd, &at, "an attachment that was not stored completely");
		else
			check_artifact_file(a, names.v[i]);
	}
	names_release(&names);
	return 0;
}

/* ---- what records refer to ---- */

/* Without memory `r` could not be read and has no JSON: the name is left out then. */
static void tell_missing(struct shelf *a, const struct record *r, const struct scan_ref *ref)
{
	struct outcome o = { .repair = a->c->repair ? REPAIR_IMPOSSIBLE : REPAIR_NONE, .why = ERR_INIT };
	struct spot at = { a->x->id, a->x->id, HISTORY_FILE, ref->line };
	struct span name = { "", 0 }; /* the user's name for it */

	if (ref->attachment == REF_OUTPUT) {
		check_tell(a->c, FINDING_ARTIFACT, &at, &o, "the output of a call is missing: " ARTIFACTS_DIR "/%s",
		           ref->sha256);
		return;
	}
	if (r->json)
		name = r->type == RECORD_RESULT ? r->result.attachments[ref->attachment].name
		                                : r->exchange.attachments[ref->attachment].name;
	check_tell(a->c, FINDING_ARTIFACT, &at, &o, "the attachment '%.*s' is missing: " ARTIFACTS_DIR
	           "/%s", (int)(name.n < 255 ? name.n : 255), name.p, ref->sha256);
}

/* Whether the file that a record refers to is missing. */
static bool is_missing(struct shelf *a, const struct scan_ref *ref)
{
	struct spot at = artifact_spot(a, ref->sha256);
	struct stat st;

	if (a->fd < 0)
		return true;
	if (fstatat(a->fd, ref->sha256, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return false;
	if (errno == ENOENT)
		return true;
	check_unreadable(a->c, &at, strerror(errno));
	return false;
}

static int in_file_order(const void *x, const void *y)
{
	const struct scan_ref *a = *(const struct scan_ref *const *)x, *b = *(const struct scan_ref *const *)y;

	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->attachment < b->attachment ? -1 : a->attachment > b->attachment;
}

/* Reports in the order of the history, so that a record with many attachments is read once. */
static void tell_all_missing(struct shelf *a, const struct jsonl *j, const struct scan_ref **v, size_t n)
{
	struct record r = { .json = NULL };

	if (n)
		qsort(v, n, sizeof(struct scan_ref *), in_file_order);
	for (size_t i = 0; i < n; i++) {
		struct span line = { j->p + v[i]->start, v[i]->n };
		struct err ignored = ERR_INIT;

		line.n -= line.p[line.n - 1] == '\n';
		if (!i || v[i]->start != v[i - 1]->start) {
			record_release(&r);
			record_parse(line, &r, &ignored);
		}
		tell_missing(a, &r, v[i]);
	}
	record_release(&r);
}

/* Reports each missing file once, at the first record that refers to it. */
static int check_refs(struct shelf *a, const struct scan *scan, const struct jsonl *j, struct err *e)
{
	const struct scan_ref **missing = malloc((scan->nrefs + 1) * sizeof(struct scan_ref *));
	size_t n = 0;

	if (!missing)
		return err_oom(e);
	for (size_t i = 0; i < scan->nrefs; i++) {
		const struct scan_ref *ref = &scan->refs[i];

		if (!(i && strcmp(ref->sha256, ref[-1].sha256) == 0) && is_missing(a, ref))
			missing[n++] = ref;
	}
	tell_all_missing(a, j, missing, n);
	free(missing);
	return 0;
}

int check_artifacts(struct check *c, const struct session *x, const struct scan *scan,
                    const struct jsonl *j, bool locked, struct err *e)
{
	char path[ID_SIZE + sizeof("/" ARTIFACTS_DIR)];
	struct shelf a = { .c = c, .x = x, .path = path };
	struct err why = ERR_INIT;
	int r = 0;

	snprintf(path, sizeof(path), "%s/" ARTIFACTS_DIR, x->id);
	a.fd = place_folder(x->dir, ARTIFACTS_DIR, &why);
	if (a.fd < 0 && why.kind != ERR_NOT_FOUND) {
		struct spot at = { x->id, x->id, ARTIFACTS_DIR, 0 };

		if (why.kind != ERR_DAMAGED) /* else reported already */
			check_unreadable(c, &at, why.msg);
		return 0;
	}
	if (a.fd >= 0)
		r = check_files(&a, locked, e);
	if (r == 0)
		r = check_refs(&a, scan, j, e);
	if (a.fd >= 0)
		close(a.fd);
	return r;
}
