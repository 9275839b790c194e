#include "store/artifact.h"

#include "data.h"
#include "tap.h"
#include "temp.h"

static int dir;
static char name[SHA256_HEX], path[128];

/* The name of what is to be attached, and its path. */
static void name_it(struct span bytes)
{
	sha256_hex(bytes, name);
	snprintf(path, sizeof(path), ARTIFACTS_DIR "/%s", name);
}

static void empty(void)
{
	int ignored = system("rm -rf " ARTIFACTS_DIR " outside");

	(void)ignored;
}

static void put(const char *bytes, const char *what)
{
	struct err e = ERR_INIT;

	if (!is_int(artifact_put(dir, name, span_str(bytes), &e), 0, "%s", what))
		tap_note("%s", e.msg);
}

static void get(const char *want, const char *what)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	if (!is_int(artifact_get(dir, name, &b, &e), 0, "%s", what))
		tap_note("%s", e.msg);
	is_buf(&b, want, "its bytes");
	buf_release(&b);
}

static void get_fails(enum err_kind kind, const char *why)
{
	struct buf b = BUF_INIT;
	struct err e = ERR_INIT;

	is_int(artifact_get(dir, name, &b, &e), -1, "is not read");
	is_err(&e, kind, why, "says why");
	buf_release(&b);
}

static int mode_of(const char *file)
{
	struct stat st;

	return lstat(file, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

static ino_t inode_of(const char *file)
{
	struct stat st;

	return lstat(file, &st) == 0 ? st.st_ino : 0;
}

static void test_put_and_get(void)
{
	struct buf large = BUF_INIT, back = BUF_INIT;
	struct err e = ERR_INIT;
	uint64_t seed = 3;
	ino_t before;

	empty();
	name_it(span_str("hello"));
	is_str(name, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "sha256sum's");
	get_fails(ERR_NOT_FOUND, "it is missing");
	put("hello", "put");
	is_int(mode_of(ARTIFACTS_DIR), 0700, "a folder of its owner only");
	is_int(mode_of(path), 0600, "a file of its owner only");
	get("hello", "got");
	ok(access(ARTIFACTS_DIR "/" ARTIFACT_TEMP, F_OK) < 0, "nothing temporary is left");
	before = inode_of(path);
	put("hello", "put again");
	is_int((int64_t)inode_of(path), (int64_t)before, "it is the same file");
	while (large.n < 200001)
		buf_addc(&large, (char)rnd(&seed));
	name_it(buf_span(&large));
	is_int(artifact_put(dir, name, buf_span(&large), &e), 0, "a larger one, beside it");
	is_int(artifact_get(dir, name, &back, &e), 0, "got");
	is_same(buf_span(&back), buf_span(&large), "its bytes");
	buf_release(&back);
	buf_release(&large);
	name_it(span_str("hello"));
	get("hello", "the first one is still there");
}

static void test_damage(void)
{
	empty();
	name_it(span_str("hello"));
	put("hello", "put");
	temp_write(path, span_str("hellO"));
	get_fails(ERR_DAMAGED, "its content is not what its name says");
	put("hello", "put over one of another content");
	get("hello", "it is right again");
	temp_write(path, span_str("hell"));
	get_fails(ERR_DAMAGED, "its content is not what its name says");
	put("hello", "put over one that was cut");
	get("hello", "it is right again");
	temp_write(path, span_str(""));
	put("hello", "put over an empty one");
	get("hello", "it is right again");
	temp_write(ARTIFACTS_DIR "/" ARTIFACT_TEMP, span_str("what a crash left"));
	unlink(path);
	put("hello", "put beside what a crash left");
	get("hello", "it is right");
	ok(access(ARTIFACTS_DIR "/" ARTIFACT_TEMP, F_OK) < 0, "which is gone");
}

/* What is in the place of a file. */
static void test_file_of_others(void)
{
	struct buf outside = BUF_INIT;

	empty();
	name_it(span_str("hello"));
	put("hello", "put");
	temp_write("outside", span_str("hello"));
	unlink(path);
	ok(symlink("../outside", path) == 0, "a link to just that content");
	get_fails(ERR_DAMAGED, "symbolic link");
	put("hello", "put over the link");
	get("hello", "a file");
	temp_write(path, span_str("other"));
	temp_read("outside", &outside);
	is_buf(&outside, "hello", "what the link led to is as it was");
	buf_release(&outside);
	unlink(path);
	ok(link("outside", path) == 0, "a second name of a file");
	get_fails(ERR_DAMAGED, "second name");
	put("hello", "put over the name");
	get("hello", "a file of its own");
	unlink(path);
	ok(mkfifo(path, 0600) == 0, "a FIFO");
	get_fails(ERR_DAMAGED, "not a regular file");
	put("hello", "put over the FIFO");
	get("hello", "a file");
	chmod(path, 0666);
	get_fails(ERR_DAMAGED, "others may write to it");
	put("hello", "put over one that others may write to");
	is_int(mode_of(path), 0600, "it is its owner's only");
}

static void test_folder_in_place(void)
{
	struct err e = ERR_INIT;

	empty();
	name_it(span_str("hello"));
	put("hello", "put");
	unlink(path);
	mkdir(path, 0700);
	get_fails(ERR_DAMAGED, "not a regular file");
	is_int(artifact_put(dir, name, span_str("hello"), &e), -1, "a folder does not give way");
	is_err(&e, ERR_FAILED, "'artifacts': cannot rename", "says so");
	ok(access(ARTIFACTS_DIR "/" ARTIFACT_TEMP, F_OK) < 0, "nothing temporary is left");
}

/* What is in the place of the folder. */
static void test_hostile_folder(void)
{
	struct err e = ERR_INIT;

	empty();
	name_it(span_str("hello"));
	mkdir("outside", 0700);
	ok(symlink("outside", ARTIFACTS_DIR) == 0, "a link in the folder's place");
	is_int(artifact_put(dir, name, span_str("hello"), &e), -1, "is not followed");
	is_err(&e, ERR_DAMAGED, "'artifacts': refused, because it is a symbolic link", "says so");
	ok(rmdir("outside") == 0, "nothing is in the folder that it led to");
	get_fails(ERR_DAMAGED, "symbolic link");
	empty();
	temp_write(ARTIFACTS_DIR, span_str("x"));
	err_clear(&e);
	is_int(artifact_put(dir, name, span_str("hello"), &e), -1, "a file in the folder's place");
	is_err(&e, ERR_FAILED, "'artifacts': it is not a folder", "says so");
	get_fails(ERR_NOT_FOUND, "it is missing");
	empty();
	mkdir(ARTIFACTS_DIR, 0700);
	chmod(ARTIFACTS_DIR, 0777);
	err_clear(&e);
	is_int(artifact_put(dir, name, span_str("hello"), &e), -1, "a folder that others may write to");
	is_err(&e, ERR_DAMAGED, "others may write to it", "says so");
	ok(access(path, F_OK) < 0, "nothing is in it");
}

static void test_too_large(void)
{
	FILE *f;

	empty();
	name_it(span_str("hello"));
	put("hello", "put");
	f = fopen(path, "w");
	ok(f && ftruncate(fileno(f), (off_t)ARTIFACT_MAX + 1) == 0, "grown beyond all measure");
	if (f)
		fclose(f);
	get_fails(ERR_DAMAGED, "it is larger than 64 MiB");
}

/* What root makes in a folder of somebody else's is that one's. */
static void test_root(void)
{
	struct stat folder = { 0 }, file = { 0 };
	int theirs;

	if (geteuid() != 0) {
		tap_note("not root: who owns what root stores is not looked at");
		return;
	}
	mkdir("theirs", 0700);
	ok(chown("theirs", 12345, 12346) == 0, "a folder of another user");
	theirs = open("theirs", O_RDONLY | O_DIRECTORY);
	name_it(span_str("hello"));
	is_int(artifact_put(theirs, name, span_str("hello"), &(struct err)ERR_INIT), 0, "put there");
	stat("theirs/" ARTIFACTS_DIR, &folder);
	snprintf(path, sizeof(path), "theirs/" ARTIFACTS_DIR "/%s", name);
	stat(path, &file);
	is_int(folder.st_uid, 12345, "the folder is that user's");
	is_int(file.st_uid, 12345, "and the file");
	is_int(file.st_gid, 12346, "and group's");
	close(theirs);
}

int main(void)
{
	temp_enter();
	umask(077);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	test_put_and_get();
	test_damage();
	test_file_of_others();
	test_folder_in_place();
	test_hostile_folder();
	test_too_large();
	test_root();
	return tap_end();
}
