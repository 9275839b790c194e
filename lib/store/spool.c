#include "store/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/replace.h"
#include "base/utf8.h"
#include "store/place.h"

static void add_spool_head(struct buf *b, const struct exchange *x, int64_t step)
{
	json_open(b, '{');
	json_put_word(b, "type", "exchange");
	json_put_str(b, "id", x->id);
	if (x->has_parent)
		json_put_str(b, "parent", x->parent);
	json_put_optional(b, "replaces", x->replaces);
	json_put_int(b, "n", step);
	json_put_int(b, "timestamp", x->timestamp);
	json_put_optional(b, "query", x->query);
	json_put_optional(b, "model", x->model);
	record_add_attachments(b, x->attachments, x->nattachments);
	json_close(b, '}');
	buf_addc(b, '\n');
}

static int create_spool(int dir, struct span head, struct err *e)
{
	int fd = openat(dir, SPOOL_FILE, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(e, errno, "cannot create '" SPOOL_FILE "'");
	place_give(fd, dir);
	if (io_write(fd, head.p, head.n) == 0 && io_datasync(fd) == 0 && io_sync_folder(dir) == 0)
		return fd;
	err_sys(e, errno, "cannot store the prompt");
	close(fd);
	spool_remove(dir); /* nothing was sent or shown */
	return -1;
}

/* A spool must exist all the time: otherwise a crash would leave steps without an exchange. A loss of power may
 * bring the old one back, which does no harm, since its step is stored. */
static int replace_spool(int dir, struct span head, struct err *e)
{
	struct replace r = REPLACE_INIT(dir, SPOOL_FILE, SPOOL_TEMP);

	r.flags = O_WRONLY | O_APPEND;
	if (replace_begin(&r) == 0) {
		place_give(r.fd, dir);
		if (io_write(r.fd, head.p, head.n) == 0 && io_datasync(r.fd) == 0 &&
		    replace_commit(&r, REPLACE_KEEP_FD) == 0)
			return r.fd;
	}
	err_sys(e, errno, "cannot replace '" SPOOL_FILE "'");
	replace_abandon(&r);
	return -1;
}

int spool_begin(int dir, const struct exchange *x, int64_t step, struct err *e)
{
	struct buf head = BUF_INIT;
	int fd = -1;

	add_spool_head(&head, x, step);
	if (buf_check(&head, e) == 0)
		fd = step ? replace_spool(dir, buf_span(&head), e) : create_spool(dir, buf_span(&head), e);
	buf_release(&head);
	return fd;
}

int spool_add(int fd, struct span piece, struct err *e)
{
	if (io_write(fd, piece.p, piece.n) < 0)
		return err_sys(e, errno, "cannot store the reply as it arrives");
	return 0;
}

void spool_remove(int dir)
{
	unlinkat(dir, SPOOL_FILE, 0);
}

static void begin_exchange(struct exchange *x)
{
	memset(x, 0, sizeof(*x));
	x->status = STATUS_INTERRUPTED;
	x->duration = -1;
	x->usage = (struct usage)USAGE_NONE;
}

static int parse_spool_head(struct span line, struct spool *sp, struct exchange *x, struct err *e)
{
	if (json_parse_object(line, &sp->head, e) < 0)
		return -1;
	x->id = json_member_str(sp->head, "id");
	x->query = json_member_str(sp->head, "query");
	x->model = json_member_str(sp->head, "model");
	x->has_parent = json_object_object_get_ex(sp->head, "parent", NULL);
	if (json_get_str(sp->head, "parent", &x->parent, e) < 0 ||
	    json_get_str(sp->head, "replaces", &x->replaces, e) < 0 ||
	    json_get_int(sp->head, "n", &sp->step, e) < 0)
		return -1;
	/* It must become a record that can be read. */
	if (!x->id.n || json_get_int(sp->head, "timestamp", &x->timestamp, e) <= 0 ||
	    x->timestamp < 0 || x->timestamp > TIME_MAX)
		return err_set(e, ERR_DAMAGED, "its first line is not an exchange");
	return record_parse_attachments(sp->head, x, e);
}

int spool_head(struct spool *sp, struct span line, struct exchange *x, struct err *e)
{
	*sp = (struct spool){ BUF_INIT, BUF_INIT, NULL, 0 };
	begin_exchange(x);
	return parse_spool_head(line, sp, x, e);
}

/* The length of the head, after which the answer starts. If the file ends within the head, nothing was sent. */
static int parse_spool(struct spool *sp, struct exchange *x, struct err *e)
{
	const char *end = memchr(sp->bytes.p, '\n', sp->bytes.n);
	struct span answer;

	if (!end)
		return err_set(e, ERR_DAMAGED, "its first line breaks off");
	if (parse_spool_head((struct span){ sp->bytes.p, (size_t)(end - sp->bytes.p) }, sp, x, e) < 0)
		return -1;
	answer.p = end + 1;
	answer.n = sp->bytes.n - (size_t)(answer.p - sp->bytes.p);
	utf8_add_clean(&sp->answer, answer);
	if (buf_check(&sp->answer, e) < 0)
		return -1;
	x->answer = buf_span(&sp->answer);
	return 1;
}

int spool_read(struct spool *sp, int dir, struct exchange *x, struct err *e)
{
	int fd, r;

	*sp = (struct spool){ BUF_INIT, BUF_INIT, NULL, 0 };
	begin_exchange(x);
	fd = place_file(dir, SPOOL_FILE, O_RDONLY, e);
	if (fd < 0 && e->kind == ERR_NOT_FOUND) {
		err_clear(e);
		return 0;
	}
	if (fd < 0)
		return -1;
	r = io_read_all(fd, &sp->bytes, JSON_MAX);
	if (r < 0 && errno == EFBIG)
		err_set(e, ERR_DAMAGED, "larger than %u MiB", JSON_MAX >> 20);
	else if (r < 0)
		err_sys(e, errno, "cannot read it");
	close(fd);
	return r < 0 ? -1 : parse_spool(sp, x, e);
}

void spool_release(struct spool *sp)
{
	buf_release(&sp->bytes);
	buf_release(&sp->answer);
	json_object_put(sp->head);
	sp->head = NULL;
}
