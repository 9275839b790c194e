#include "turn/files.h"

#include "data.h"
#include "store/artifact.h"
#include "tap.h"
#include "temp.h"

#define MIB (1024 * 1024)

static char told[4096];

static void notice(const char *sentence)
{
	snprintf(told, sizeof(told), "%s", sentence);
}

static struct store store = { .stop_fd = -1, .fd = -1, .notice = notice };
static int dir;

/* An image of this size, of which most is a hole. */
static void write_image(const char *path, char mark, off_t size)
{
	char text[] = "\x89PNG\r\n\x1a\n?";
	int fd;

	text[8] = mark;
	temp_write(path, (struct span){ text, 9 });
	fd = open(path, O_WRONLY);
	if (ftruncate(fd, size) < 0)
		tap_note("%s cannot be grown", path);
	close(fd);
}

static void attach(struct files *f, const char *path)
{
	struct err e = ERR_INIT;

	if (!is_int(files_attach(f, path, &e), 0, "attached: %s", path))
		tap_note("%s", e.msg);
}

static void test_attach(void)
{
	struct files f = FILES_INIT;
	struct err e = ERR_INIT;

	temp_write("note", span_str("hello"));
	attach(&f, "note");
	attach(&f, "./note");
	is_int((int64_t)f.nrefs, 2, "twice");
	is_int((int64_t)f.nknown, 1, "known once");
	is_span(f.refs[1].sha256, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
	        "its digest");
	is_span(f.refs[1].name, "note", "its name is without a folder");
	is_span(f.refs[1].type, "text/plain", "type");
	is_int(f.refs[1].size, 5, "size");
	is_int(files_attach(&f, "nowhere", &e), -1, "one that is not there");
	is_err(&e, ERR_USAGE, "cannot attach 'nowhere': No such file", "says so");
	is_int((int64_t)f.nrefs, 2, "changes nothing");
	files_detach(&f);
	is_int((int64_t)f.nrefs, 0, "the next prompt has none");
	is_int((int64_t)f.nknown, 1, "the content is still known");
	files_release(&f);
}

/* A turn with what is attached now. */
static struct exchange turn_of(const struct files *f)
{
	return (struct exchange){ .query = span_str("q"), .attachments = f->refs,
		                  .nattachments = f->nrefs };
}

/* Of four turns with 50 MiB each the last two fit: each is there, and with all its files or
 * none, and a smaller one before them does not come back in. */
static void test_room(void)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	struct files sets[4] = { FILES_INIT, FILES_INIT, FILES_INIT, FILES_INIT };
	struct files all = FILES_INIT;
	struct exchange xs[4];
	const struct exchange *of[3];
	struct context_turn turns[3] = { { .nfiles = 9 } };
	struct context cx = { .turns = turns, .of = of, .n = 3, .prompt = { .nfiles = 9 } };
	struct parcel p = PARCEL_INIT;
	struct err e = ERR_INIT;

	for (int i = 0; i < 4; i++) {
		write_image(names[i], names[i][0], i ? 50 * MIB : 10);
		attach(&sets[i], names[i]);
		if (i == 1)
			attach(&sets[i], "note");
		attach(&all, names[i]);
		files_detach(&all); /* it knows them all */
		xs[i] = turn_of(&sets[i]);
		if (i < 3)
			of[i] = &xs[i];
	}
	told[0] = '\0';
	is_int(parcel_fill(&p, &all, &store, -1, &cx, &xs[3], &e), 0, "filled");
	is_int((int64_t)cx.prompt.nfiles, 1, "the prompt's file");
	is_int((int64_t)cx.prompt.files[0].bytes.n, 50 * MIB, "is there");
	is_int((int64_t)turns[2].nfiles, 1, "the last turn's file");
	is_int((int64_t)turns[2].files[0].bytes.n, 50 * MIB, "is there");
	is_span(turns[2].files[0].type, "image/png", "as an image");
	is_int((int64_t)turns[1].nfiles, 2, "the two of the turn before");
	is_span(turns[1].files[0].bytes, "[this file is left out here, because there are too many]",
	        "are replaced by a line");
	is_span(turns[1].files[0].type, "text/plain", "of text");
	is_span(turns[1].files[0].name, "b", "with its name");
	is_span(turns[1].files[1].bytes, "[this file is left out here, because there are too many]",
	        "the small one, too");
	is_span(turns[0].files[0].bytes, "[this file is left out here, because there are too many]",
	        "and those before that");
	ok(strstr(told, "at most 128 MiB") != NULL, "it is told");
	parcel_release(&p);
	for (int i = 0; i < 4; i++)
		files_release(&sets[i]);
	files_release(&all);
}

/* Those of a turn of which only the record is there. */
static void test_of_earlier_turns(void)
{
	static const struct attachment_ref huge = {
		{ "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", 64 },
		{ "n", 1 }, { "t", 1 }, INT64_C(9007199254740991)
	};
	struct attachment_ref many[3] = { huge, huge, huge };
	struct exchange x = { .attachments = many, .nattachments = 3 }, none = { .nattachments = 0 };
	const struct exchange *of[2] = { NULL, &x };
	struct context_turn turns[2] = { { .query = span_str("a summary") } };
	struct context cx = { .turns = turns, .of = of, .n = 2 };
	struct files f = FILES_INIT;
	struct parcel p = PARCEL_INIT;
	struct err e = ERR_INIT;

	is_int(parcel_fill(&p, &f, &store, dir, &cx, &none, &e), 0,
	       "sizes beyond all measure");
	ok(turns[1].nfiles == 3 && turns[1].files[2].bytes.p[0] == '[', "are too many");
	is_int((int64_t)turns[0].nfiles, 0, "what is no exchange has none");
	parcel_release(&p);
	many[0].size = 5;
	x.nattachments = 1;
	told[0] = '\0';
	is_int(parcel_fill(&p, &f, &store, dir, &cx, &none, &e), 0,
	       "one that is missing");
	is_str(told, "the attachment 'n' of an earlier turn is not sent again: it is missing", "is told");
	is_span(turns[1].files[0].bytes, "[this file is not there any more]", "and replaced");
	parcel_release(&p);
	is_int(artifact_put(dir, many[0].sha256.p, span_str("hello"), &e), 0, "it is there again");
	is_int(parcel_fill(&p, &f, &store, dir, &cx, &none, &e), 0, "now");
	is_span(turns[1].files[0].bytes, "hello", "it is read");
	is_span(turns[1].files[0].type, "text/plain", "and told by its content");
	parcel_release(&p);
	is_int(parcel_fill(&p, &f, &store, -1, &cx, &none, &e), 0, "without the folder");
	is_span(turns[1].files[0].bytes, "hello", "it is known");
	parcel_release(&p);
	files_release(&f);
}

int main(void)
{
	temp_enter();
	umask(077);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	test_attach();
	test_room();
	test_of_earlier_turns();
	return tap_end();
}
