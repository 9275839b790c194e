#include "turn/files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/filetype.h"
#include "base/io.h"
#include "base/utf8.h"
#include "store/artifact.h"

/* A content in memory. Its place stays the same as long as it is known. */
struct file {
	char sha256[SHA256_HEX];
	const char *type;
	struct buf bytes;
};

/* In the place of a file's content. */
static const char missing[] = "[this file is not there any more]";
static const char left_out[] = "[this file is left out here, because there are too many]";

void files_detach_from(struct files *f, size_t n)
{
	while (f->nrefs > n) {
		const struct attachment_ref *ref = &f->refs[--f->nrefs];

		f->size -= ref->size;
		free((char *)ref->name.p);
	}
}

void files_detach(struct files *f)
{
	files_detach_from(f, 0);
}

void files_take_back(struct files *f, size_t i)
{
	free((char *)f->refs[i].name.p);
	f->size -= f->refs[i].size;
	f->nrefs--;
	memmove(&f->refs[i], &f->refs[i + 1], (f->nrefs - i) * sizeof(*f->refs));
}

static void forget(struct file *file)
{
	buf_release(&file->bytes);
	free(file);
}

void files_release(struct files *f)
{
	files_detach(f);
	free(f->refs);
	for (size_t i = 0; i < f->nknown; i++)
		forget(f->known[i]);
	free(f->known);
	*f = (struct files)FILES_INIT;
}

static struct file *find(const struct files *f, struct span sha256)
{
	for (size_t i = 0; i < f->nknown; i++)
		if (span_eq(sha256, f->known[i]->sha256))
			return f->known[i];
	return NULL;
}

/* Takes the bytes in any case. One that is known already is not kept twice. */
static struct file *learn(struct files *f, const char *sha256, const char *type, struct buf *bytes,
                          struct err *e)
{
	struct file *file = find(f, span_str(sha256)), **known;

	if (file) {
		buf_release(bytes);
		return file;
	}
	known = array_room(f->known, f->nknown, &f->known_cap, sizeof(*known), e);
	if (known)
		f->known = known;
	file = known ? malloc(sizeof(*file)) : NULL;
	if (!file) {
		buf_release(bytes);
		err_oom(e);
		return NULL;
	}
	memcpy(file->sha256, sha256, SHA256_HEX);
	file->type = type;
	file->bytes = *bytes;
	f->known[f->nknown++] = file;
	return file;
}

/* ---- attaching ---- */

bool files_is_stdin(const char *path)
{
	return strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0 || strcmp(path, "/dev/fd/0") == 0 ||
	       strcmp(path, "/proc/self/fd/0") == 0;
}

/* By its descriptor: a socket cannot be opened by a name. */
static int open_stdin(struct files *f, const char *path, struct err *e)
{
	int fd;

	if (f->stdin_read)
		return err_set(e, ERR_USAGE, "cannot attach '%s': standard input can be read only once", path);
	if (isatty(STDIN_FILENO))
		return err_set(e, ERR_USAGE, "cannot attach '%s': standard input is a terminal", path);
	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		err_sys(e, errno, "cannot read standard input");
	f->stdin_read = fd >= 0;
	return fd;
}

/* Not to wait here for somebody at the other end of a FIFO, nor to read a device for ever. */
static int open_file(const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_sys(e, errno, "cannot attach '%s'", path);
		e->kind = ERR_USAGE;
	} else if (S_ISDIR(st.st_mode)) {
		err_set(e, ERR_USAGE, "cannot attach '%s': it is a folder", path);
	} else if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) {
		err_set(e, ERR_USAGE, "cannot attach '%s': it is a device", path);
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

struct slow_file {
	const struct files *files;
	const char *path;
};

static void tell_waiting(void *ctx)
{
	const struct slow_file *s = ctx;

	s->files->waiting(s->path);
}

static int read_file(struct files *f, const char *path, struct buf *bytes, struct err *e)
{
	bool standard = files_is_stdin(path);
	struct slow_file slow = { f, path };
	struct io_wait wait = { f->stop_fd, f->waiting ? tell_waiting : NULL, &slow };
	int fd = standard ? open_stdin(f, path, e) : open_file(path, e), r;

	if (fd < 0)
		return -1;
	r = io_read_slow(fd, bytes, ARTIFACT_MAX, &wait);
	if (r < 0 && errno == ENOMEM) {
		err_oom(e);
	} else if (r < 0 && errno == ECANCELED) {
		err_set(e, ERR_INTERRUPTED, "interrupted");
	} else if (r < 0 && errno == EFBIG) {
		err_set(e, ERR_USAGE, "cannot attach '%s': it is larger than %u MiB", path,
		        ARTIFACT_MAX >> 20);
	} else if (r < 0) {
		err_sys(e, errno, "cannot attach '%s'", path);
		e->kind = ERR_USAGE;
	}
	close(fd);
	return r;
}

/* A copy of it, whose strings are one piece, which begins with the name. */
static int add_ref(struct files *f, const struct attachment_ref *ref, struct err *e)
{
	struct attachment_ref *v = array_room(f->refs, f->nrefs, &f->refs_cap, sizeof(*v), e);
	size_t n = ref->name.n, type = n + ref->sha256.n;
	char *copy;

	if (!v)
		return -1;
	f->refs = v;
	copy = malloc(type + ref->type.n + 1);
	if (!copy)
		return err_oom(e);
	memcpy(copy, ref->name.p, n);
	memcpy(copy + n, ref->sha256.p, ref->sha256.n);
	memcpy(copy + type, ref->type.p, ref->type.n);
	v += f->nrefs++;
	*v = *ref;
	v->name.p = copy;
	v->sha256.p = copy + n;
	v->type.p = copy + type;
	f->size += ref->size;
	if (f->size <= FILES_MAX)
		return 0;
	err_set(e, ERR_USAGE, "cannot attach '%.*s': all files together are larger than %u MiB", (int)n,
	        copy, FILES_MAX >> 20);
	files_detach_from(f, f->nrefs - 1);
	return -1;
}

/* What follows the last slash, in UTF-8; a shell's <(COMMAND) is /dev/fd/63. */
static int add_file(struct files *f, const char *path, const struct file *file, struct err *e)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	bool numbered = strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/self/fd/", 14) == 0;
	struct buf name = BUF_INIT;
	struct attachment_ref ref = { .sha256 = span_str(file->sha256), .type = span_str(file->type),
		                      .size = (int64_t)file->bytes.n };
	int r;

	if (files_is_stdin(path))
		base = "stdin";
	else if (numbered)
		buf_adds(&name, "fd-");
	utf8_add_clean(&name, span_str(base));
	ref.name = buf_span(&name);
	r = buf_check(&name, e) < 0 ? -1 : add_ref(f, &ref, e);
	buf_release(&name);
	return r;
}

/* What the bytes are; text is repaired where the user wants that, but not from another encoding. */
static const char *judge(const struct files *f, struct buf *bytes, struct err *e)
{
	const char *type = filetype_of(buf_span(bytes), e);

	if (type || !filetype_is_broken_text(buf_span(bytes)))
		return type;
	if (!f->replace_invalid)
		return err_suffix(e, "; --replace-invalid replaces such bytes"), NULL;
	err_clear(e);
	utf8_clean(bytes);
	if (buf_check(bytes, e) < 0)
		return NULL;
	if (bytes->n > ARTIFACT_MAX)
		return err_set(e, ERR_USAGE, "repaired it is larger than %u MiB", ARTIFACT_MAX >> 20), NULL;
	return filetype_of(buf_span(bytes), e);
}

int files_attach(struct files *f, const char *path, struct err *e)
{
	struct buf bytes = BUF_INIT;
	char sha256[SHA256_HEX];
	const struct file *file;
	const char *type = NULL;

	if (read_file(f, path, &bytes, e) == 0) {
		type = judge(f, &bytes, e);
		if (!type)
			err_prefix(e, "cannot attach '%s'", path);
	}
	if (!type) {
		buf_release(&bytes);
		return -1;
	}
	sha256_hex(buf_span(&bytes), sha256);
	file = learn(f, sha256, type, &bytes, e);
	return file ? add_file(f, path, file, e) : -1;
}

static bool goes_along(const struct files *f, const struct attachment_ref *ref)
{
	for (size_t i = 0; i < f->nrefs; i++)
		if (span_same(f->refs[i].sha256, ref->sha256) && span_same(f->refs[i].name, ref->name))
			return true;
	return false;
}

int files_attach_again(struct files *f, const struct exchange *x, struct err *e)
{
	for (size_t i = 0; i < x->nattachments; i++)
		if (!goes_along(f, &x->attachments[i]) && add_ref(f, &x->attachments[i], e) < 0)
			return -1;
	return 0;
}

/* ---- storing ---- */

int files_store(const struct files *f, int dir, const struct exchange *x, struct err *e)
{
	for (size_t i = 0; i < x->nattachments; i++) {
		const struct attachment_ref *ref = &x->attachments[i];
		const struct file *file = find(f, ref->sha256);

		if (file && artifact_put(dir, file->sha256, buf_span(&file->bytes), e) < 0)
			return err_prefix(e, "cannot store what is attached, '%.*s'", (int)ref->name.n,
			                  ref->name.p);
	}
	return 0;
}

/* ---- sending ---- */

/* The type is told by the content here, too: what was written in a history is not to make a
 * request of bytes that are no text. 1, 0 when it is not to be had, or -1. */
static int load(struct files *f, const struct attachment_ref *ref, int dir, struct file **file,
                struct err *why)
{
	struct buf bytes = BUF_INIT;
	char sha256[SHA256_HEX];
	const char *type = NULL;

	memcpy(sha256, ref->sha256.p, SHA256_HEX - 1);
	sha256[SHA256_HEX - 1] = '\0';
	if (dir < 0)
		err_set(why, ERR_NOT_FOUND, "it is missing");
	else if (artifact_get(dir, sha256, &bytes, why) == 0)
		type = filetype_of(buf_span(&bytes), why);
	if (!type) {
		buf_release(&bytes);
		return why->kind == ERR_NOT_FOUND || why->kind == ERR_DAMAGED || why->kind == ERR_USAGE ? 0 : -1;
	}
	*file = learn(f, sha256, type, &bytes, why);
	return *file ? 1 : -1;
}

struct filling {
	struct parcel *parcel;
	struct files *files;
	const struct store *store;
	int dir;
	int64_t left; /* bytes that there is room for */
	bool full;    /* nothing older than this is sent */
};

static void replace(struct attachment *a, const char *text)
{
	a->type = span_str("text/plain");
	a->bytes = span_str(text);
}

static int fill_one(struct filling *g, const struct attachment_ref *ref, struct attachment *a,
                    struct err *e)
{
	struct file *file = find(g->files, ref->sha256);
	struct err why = ERR_INIT;
	int found = file ? 1 : load(g->files, ref, g->dir, &file, &why);

	if (found > 0 && (int64_t)file->bytes.n != ref->size) /* which was counted */
		found = (err_set(&why, ERR_DAMAGED, "its size is not what its exchange says"), 0);
	if (found < 0)
		return err_set(e, why.kind, "the attachment '%.*s' of an earlier turn: %s", (int)ref->name.n,
		               ref->name.p, why.msg);
	if (!found) {
		store_notice(g->store, "the attachment '%.*s' of an earlier turn is not sent again: %s",
		             (int)ref->name.n, ref->name.p, why.msg);
		replace(a, missing);
		return 0;
	}
	a->type = span_str(file->type);
	a->bytes = buf_span(&file->bytes);
	return 0;
}

/* The files of a query, or of a result. */
struct refs {
	const struct attachment_ref *v;
	size_t n;
};

/* Calls visit() for those of an exchange and then of its steps' results, in the order of the calls. */
static int visit_refs(const struct exchange *x, const struct exchange_node *steps,
                      int (*visit)(void *ctx, struct refs refs, struct err *e), void *ctx, struct err *e)
{
	int r = visit(ctx, (struct refs){ x->attachments, x->nattachments }, e);

	for (size_t k = 0; r == 0 && steps && k < steps->nsteps; k++)
		for (size_t i = 0; r == 0 && i < conversation_calls(&steps->steps[k]); i++) {
			const struct result *result = conversation_result(&steps->steps[k], i);

			if (result)
				r = visit(ctx, (struct refs){ result->attachments, result->nattachments }, e);
		}
	return r;
}

static int count_refs(void *ctx, struct refs refs, struct err *e)
{
	(void)e;
	*(size_t *)ctx += refs.n;
	return 0;
}

static int add_size(void *ctx, struct refs refs, struct err *e)
{
	int64_t *size = ctx;

	(void)e;
	for (size_t i = 0; i < refs.n; i++)
		*size += refs.v[i].size < FILES_MAX ? refs.v[i].size : FILES_MAX;
	return 0;
}

static int fill_refs(void *ctx, struct refs refs, struct err *e)
{
	struct filling *g = ctx;

	for (size_t i = 0; i < refs.n; i++) {
		struct attachment *a = &g->parcel->v[g->parcel->n++];

		a->name = refs.v[i].name;
		if (g->full)
			replace(a, left_out);
		else if (fill_one(g, &refs.v[i], a, e) < 0)
			return -1;
	}
	return 0;
}

/* All of an exchange's files are sent, or none. */
static int fill(struct filling *g, const struct exchange *x, const struct exchange_node *steps,
                struct context_turn *t, struct err *e)
{
	int64_t size = 0;

	visit_refs(x, steps, add_size, &size, e);
	if (size > g->left && !g->full) {
		g->full = true;
		store_notice(g->store, "earlier attachments than these are not sent again: a request holds "
		             "at most %u MiB of them", FILES_MAX >> 20);
	}
	t->files = g->parcel->v + g->parcel->n;
	t->nfiles = x->nattachments;
	if (visit_refs(x, steps, fill_refs, g, e) < 0)
		return -1;
	g->left -= g->full ? 0 : size;
	return 0;
}

int parcel_fill(struct parcel *p, struct files *f, const struct store *s, int dir, struct context *cx,
                const struct exchange *asked, struct err *e)
{
	struct filling g = { .parcel = p, .files = f, .store = s, .dir = dir, .left = FILES_MAX };
	size_t all = 0;

	visit_refs(asked, cx->running, count_refs, &all, e);
	for (size_t i = 0; i < cx->n; i++)
		if (cx->of[i])
			visit_refs(cx->of[i], cx->nodes ? cx->nodes[i] : NULL, count_refs, &all, e);
	p->v = all ? calloc(all, sizeof(*p->v)) : NULL;
	if (!all)
		return 0;
	if (!p->v)
		return err_oom(e);
	if (fill(&g, asked, cx->running, &cx->prompt, e) < 0)
		return -1;
	for (size_t i = cx->n; i-- > 0;)
		if (cx->of[i] && fill(&g, cx->of[i], cx->nodes ? cx->nodes[i] : NULL, &cx->turns[i], e) < 0)
			return -1;
	return 0;
}

void parcel_release(struct parcel *p)
{
	free(p->v);
	*p = (struct parcel)PARCEL_INIT;
}
