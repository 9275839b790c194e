/*
 * tracer: runs a command, and does something to one of its system calls.
 *
 *	tracer -c [-o FILE] CMD…                    lists the calls
 *	tracer -n N -e ENOSPC [-o FILE] CMD…        the Nth fails so, and does nothing
 *	tracer -n N -s BYTES [-o FILE] CMD…         the Nth, a write, takes no more than that,
 *	                                            and at least one byte less than asked
 *	tracer -n N -k before|after [-o FILE] CMD…  SIGKILL there; after -s too
 *
 * Calls are numbered from 1, over all threads, and from the first umask(2) on, which the
 * tools call first of all: what comes before is the loader's and the sanitizers'. FILE
 * gets a line for each call that was listed or hit, and stays empty where the command
 * made fewer than N, or where the Nth cannot fail or cannot be shortened:
 *
 *	17 openat /tmp/x/sessions/demo turn.partial
 *
 * the number, the name, and the file of the descriptor and the path that it was called
 * with, where there are any. The tracer ends as the command did, by the same signal too;
 * when it cannot do its work, with status 125.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_TRACER = 125 };

/* ---- the machine ---- */

#if defined(__x86_64__)
#define ARG3(r)   ((r)->rdx)
#define RESULT(r) ((r)->rax)
#elif defined(__aarch64__)
#define ARG3(r)   ((r)->regs[2])
#define RESULT(r) ((r)->regs[0])
#else
#error "which registers hold the third argument and the result?"
#endif

typedef struct user_regs_struct registers;

static void die(const char *what)
{
	fprintf(stderr, "tracer: %s: %s\n", what, strerror(errno));
	exit(EXIT_TRACER);
}

static void get_registers(pid_t tid, registers *r)
{
	struct iovec v = { r, sizeof(*r) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &v) < 0)
		die("cannot read the registers");
}

static void set_registers(pid_t tid, registers *r)
{
	struct iovec v = { r, sizeof(*r) };

	if (ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &v) < 0)
		die("cannot set the registers");
}

/* No call has the number -1: the kernel does nothing. */
static void skip_call(pid_t tid)
{
#if defined(__aarch64__)
	int none = -1;
	struct iovec v = { &none, sizeof(none) };

	if (ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &v) < 0)
		die("cannot set the number of the call");
#else
	registers r;

	get_registers(tid, &r);
	r.orig_rax = (unsigned long long)-1;
	set_registers(tid, &r);
#endif
}

/* ---- words for it ---- */

/* What its first two arguments are. */
enum shape { OTHER, FD, PATH, FD_PATH };

static const struct name {
	const char *name;
	enum shape shape;
} names[] = {
#define CALL(name, shape) [SYS_##name] = { #name, shape }
	CALL(accept4, FD), CALL(bind, FD), CALL(brk, OTHER), CALL(clock_gettime, OTHER),
	CALL(clock_nanosleep, OTHER), CALL(clone, OTHER), CALL(clone3, OTHER), CALL(close, FD),
	CALL(connect, FD), CALL(copy_file_range, FD), CALL(dup, FD), CALL(dup3, FD),
	CALL(epoll_create1, OTHER), CALL(eventfd2, OTHER), CALL(exit, OTHER),
	CALL(exit_group, OTHER), CALL(faccessat, FD_PATH), CALL(faccessat2, FD_PATH),
	CALL(fallocate, FD), CALL(fchmod, FD), CALL(fchmodat, FD_PATH), CALL(fchown, FD),
	CALL(fcntl, FD), CALL(fdatasync, FD), CALL(flock, FD), CALL(fstat, FD),
	CALL(fsync, FD), CALL(ftruncate, FD), CALL(futex, OTHER), CALL(getcwd, OTHER),
	CALL(getdents64, FD), CALL(getegid, OTHER), CALL(geteuid, OTHER), CALL(getgid, OTHER),
	CALL(getpeername, FD), CALL(getpid, OTHER), CALL(getrandom, OTHER),
	CALL(getsockname, FD), CALL(getsockopt, FD), CALL(gettid, OTHER), CALL(getuid, OTHER),
	CALL(ioctl, FD), CALL(kill, OTHER), CALL(linkat, FD_PATH), CALL(lseek, FD),
	CALL(madvise, OTHER), CALL(mkdirat, FD_PATH), CALL(mmap, OTHER), CALL(mprotect, OTHER),
	CALL(mremap, OTHER), CALL(munmap, OTHER), CALL(newfstatat, FD_PATH),
	CALL(openat, FD_PATH), CALL(pipe2, OTHER), CALL(ppoll, OTHER), CALL(pread64, FD),
	CALL(preadv, FD), CALL(prlimit64, OTHER), CALL(pwrite64, FD), CALL(pwritev, FD),
	CALL(read, FD), CALL(readlinkat, FD_PATH), CALL(readv, FD), CALL(recvfrom, FD),
	CALL(recvmsg, FD), CALL(renameat, FD_PATH), CALL(renameat2, FD_PATH), CALL(rseq, OTHER),
	CALL(rt_sigaction, OTHER), CALL(rt_sigprocmask, OTHER), CALL(rt_sigreturn, OTHER),
	CALL(sched_getaffinity, OTHER), CALL(sched_yield, OTHER), CALL(sendmmsg, FD),
	CALL(sendmsg, FD), CALL(sendto, FD), CALL(set_robust_list, OTHER),
	CALL(setsockopt, FD), CALL(shutdown, FD), CALL(sigaltstack, OTHER),
	CALL(socket, OTHER), CALL(socketpair, OTHER), CALL(statfs, PATH), CALL(statx, FD_PATH),
	CALL(symlinkat, OTHER), CALL(sysinfo, OTHER), CALL(tgkill, OTHER), CALL(umask, OTHER),
	CALL(uname, OTHER), CALL(unlinkat, FD_PATH), CALL(utimensat, FD_PATH), CALL(write, FD),
	CALL(writev, FD),
#if defined(__x86_64__)
	CALL(access, PATH), CALL(arch_prctl, OTHER), CALL(chmod, PATH), CALL(link, PATH),
	CALL(lstat, PATH), CALL(mkdir, PATH), CALL(open, PATH), CALL(pipe, OTHER),
	CALL(poll, OTHER), CALL(readlink, PATH), CALL(rename, PATH), CALL(rmdir, PATH),
	CALL(stat, PATH), CALL(symlink, PATH), CALL(unlink, PATH),
#endif
};

static const struct name *find_name(unsigned long long nr)
{
	static const struct name none = { NULL, OTHER };

	return nr < sizeof(names) / sizeof(names[0]) && names[nr].name ? &names[nr] : &none;
}

static void print_fd(FILE *f, pid_t tid, int fd)
{
	char link[64], path[4096];
	ssize_t n;

	if (fd < 0) /* AT_FDCWD */
		return;
	snprintf(link, sizeof(link), "/proc/%ld/fd/%d", (long)tid, fd);
	n = readlink(link, path, sizeof(path));
	fprintf(f, " %.*s", n < 0 ? 0 : (int)n, path);
	if (fd <= 2)
		fprintf(f, " (%d)", fd);
}

/* The length of the string at `address`; 0 when it cannot be read. */
static size_t read_path(pid_t tid, unsigned long long address, char path[4096])
{
	struct iovec to = { path, 0 }, from = { (void *)address, 0 };
	ssize_t n;

	/* To the end of the page: what comes after may not be there. */
	to.iov_len = from.iov_len = 4096 - address % 4096;
	n = process_vm_readv(tid, &to, 1, &from, 1, 0);
	return n > 0 ? strnlen(path, (size_t)n) : 0;
}

static void print_path(FILE *f, pid_t tid, unsigned long long address)
{
	char path[4096];
	size_t n = read_path(tid, address, path);

	if (n)
		fprintf(f, " %.*s", (int)n, path);
}

/* From here on a program built to measure coverage writes down what it ran. */
static bool is_profile(pid_t tid, const struct __ptrace_syscall_info *call)
{
	char path[4096];
	size_t n;

	if (call->entry.nr != SYS_openat)
		return false;
	n = read_path(tid, call->entry.args[1], path);
	return n > 5 && memcmp(path + n - 5, ".gcda", 5) == 0;
}

static void report(FILE *f, pid_t tid, long n, const struct __ptrace_syscall_info *call)
{
	const struct name *name = find_name(call->entry.nr);

	if (!f)
		return;
	if (name->name)
		fprintf(f, "%ld %s", n, name->name);
	else
		fprintf(f, "%ld call-%llu", n, (unsigned long long)call->entry.nr);
	if (name->shape == FD || name->shape == FD_PATH)
		print_fd(f, tid, (int)call->entry.args[0]);
	if (name->shape == PATH || name->shape == FD_PATH)
		print_path(f, tid, call->entry.args[name->shape == FD_PATH]);
	putc('\n', f);
	fflush(f); /* who waits for the command in vain may end it, and us */
}

/* ---- what is done to a call ---- */

struct fault {
	long at;    /* the number of the call; 0: list them all */
	int error;  /* it fails with this; 0: it does not */
	long bytes; /* a write takes no more; -1: all */
	bool kill_before, kill_after;
	FILE *report;
	bool ended; /* what is called now is no longer the tool's */

	/* when it has been hit */
	pid_t tid; /* until the call returns */
	bool is_brk;
	registers saved;
	unsigned long long length_at, length; /* of the buffer that was shortened */
	bool over;
};

static unsigned long long peek(pid_t tid, unsigned long long address)
{
	long value;

	errno = 0;
	value = ptrace(PTRACE_PEEKDATA, tid, address, 0);
	if (errno)
		die("cannot read the buffers of a write");
	return (unsigned long long)value;
}

static void poke(pid_t tid, unsigned long long address, unsigned long long value)
{
	if (ptrace(PTRACE_POKEDATA, tid, address, value) < 0)
		die("cannot change the buffers of a write");
}

/* How many of `asked` bytes are written; 0 when there is no such number. */
static unsigned long long fewer(const struct fault *f, unsigned long long asked)
{
	unsigned long long most = asked ? asked - 1 : 0;

	return (unsigned long long)f->bytes < most ? (unsigned long long)f->bytes : most;
}

/* The buffer with the last byte to go becomes the last one, and shorter. */
static bool shorten_vector(struct fault *f, pid_t tid, const __uint64_t *args, registers *r)
{
	unsigned long long v = args[1], n = args[2], all = 0, left, length = 0, i;

	for (i = 0; i < n; i++)
		all += peek(tid, v + i * sizeof(struct iovec) + offsetof(struct iovec, iov_len));
	left = fewer(f, all);
	if (!left)
		return false;
	for (i = 0;; i++, left -= length) {
		f->length_at = v + i * sizeof(struct iovec) + offsetof(struct iovec, iov_len);
		length = peek(tid, f->length_at);
		if (left <= length)
			break;
	}
	f->length = length;
	poke(tid, f->length_at, left);
	ARG3(r) = i + 1;
	return true;
}

static bool shorten(struct fault *f, pid_t tid, const struct __ptrace_syscall_info *call)
{
	registers r = f->saved;
	unsigned long long left;

	switch (call->entry.nr) {
	case SYS_write:
	case SYS_pwrite64:
	case SYS_sendto:
		left = fewer(f, call->entry.args[2]);
		if (!left)
			return false;
		ARG3(&r) = left;
		break;
	case SYS_writev:
	case SYS_pwritev:
		if (!shorten_vector(f, tid, call->entry.args, &r))
			return false;
		break;
	default:
		return false;
	}
	set_registers(tid, &r);
	return true;
}

/* Whole mappings can always be unmapped; and at an error of futex(2) the C library aborts,
 * and rightly, because it asks for nothing that could fail. */
static bool can_fail(unsigned long long nr)
{
	switch (nr) {
	case SYS_futex:
	case SYS_munmap:
	case SYS_exit:
	case SYS_exit_group:
	case SYS_rt_sigreturn:
	case SYS_getpid:
	case SYS_gettid:
	case SYS_getuid:
	case SYS_geteuid:
	case SYS_getgid:
	case SYS_getegid:
	case SYS_umask:
		return false;
	default:
		return true;
	}
}

/* The call is about to be made. */
static void hit(struct fault *f, pid_t tid, const struct __ptrace_syscall_info *call)
{
	f->over = true;
	get_registers(tid, &f->saved);
	if ((f->error && !can_fail(call->entry.nr)) || (f->bytes >= 0 && !shorten(f, tid, call)))
		return;
	f->tid = tid;
	f->is_brk = call->entry.nr == SYS_brk;
	report(f->report, tid, f->at, call);
	/* Linux closes a descriptor whatever close(2) returns. */
	if (f->error && call->entry.nr != SYS_close)
		skip_call(tid);
	if (f->kill_before)
		kill(tid, SIGKILL);
}

/* The call has been made, or not: the program finds its registers and its memory as it
 * left them. */
static void leave(struct fault *f, pid_t tid)
{
	registers r;

	f->tid = 0;
	if (f->kill_after) {
		kill(tid, SIGKILL);
		return;
	}
	get_registers(tid, &r);
	/* The kernel's brk returns where the break is, not an error. */
	if (f->error)
		RESULT(&f->saved) = f->is_brk ? 0 : (unsigned long long)-(long long)f->error;
	else
		RESULT(&f->saved) = RESULT(&r);
	if (f->error || f->bytes >= 0)
		set_registers(tid, &f->saved);
	if (f->length_at)
		poke(tid, f->length_at, f->length);
}

/* ---- the program's course ---- */

static void call_stop(struct fault *f, pid_t tid)
{
	static bool counting;
	static long n;
	struct __ptrace_syscall_info call;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(call), &call) < 0)
		return; /* it was killed */
	if (call.op == PTRACE_SYSCALL_INFO_EXIT && f->tid == tid)
		leave(f, tid);
	if (call.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	if (!counting) {
		counting = call.entry.nr == SYS_umask;
		return;
	}
	if (f->ended || (f->ended = is_profile(tid, &call)))
		return;
	n++;
	if (!f->at)
		report(f->report, tid, n, &call);
	else if (n == f->at)
		hit(f, tid, &call);
}

/* Returns the signal that the thread goes on with. */
static int stopped(struct fault *f, pid_t tid, int status)
{
	int sig = WSTOPSIG(status);

	if (sig == (SIGTRAP | 0x80)) {
		call_stop(f, tid);
		return 0;
	}
	/* An event of ptrace, or the stop that a new thread begins with. */
	return status >> 16 || sig == SIGSTOP ? 0 : sig;
}

static pid_t start(char **argv)
{
	const long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC |
	                     PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("cannot fork");
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
			die("cannot be traced");
		personality(ADDR_NO_RANDOMIZE); /* the same calls each time, as far as may be */
		raise(SIGSTOP);
		execvp(argv[0], argv);
		die(argv[0]);
	}
	if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, 0, options) < 0 || ptrace(PTRACE_SYSCALL, pid, 0, 0) < 0)
		die("cannot trace");
	return pid;
}

/* Returns how the command ended. */
static int follow(struct fault *f, pid_t pid)
{
	for (;;) {
		int status, sig;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0)
			die("cannot wait");
		if (WIFSTOPPED(status)) {
			sig = stopped(f, tid, status);
			ptrace(f->over && !f->tid ? PTRACE_CONT : PTRACE_SYSCALL, tid, 0, sig);
		} else if (tid == pid) {
			return status;
		}
	}
}

static int end_likewise(int status)
{
	const struct rlimit none = { 0, 0 };

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	setrlimit(RLIMIT_CORE, &none);
	signal(WTERMSIG(status), SIG_DFL);
	raise(WTERMSIG(status));
	return EXIT_TRACER;
}

/* ---- the command line ---- */

static int error_number(const char *name)
{
	for (int i = 1; i < 256; i++) {
		const char *known = strerrorname_np(i);

		if (known && strcmp(known, name) == 0)
			return i;
	}
	return 0;
}

static int usage(void)
{
	fputs("usage: tracer {-c | -n N {-e ERRNO | [-s BYTES] [-k before|after]}} [-o FILE] CMD…\n",
	      stderr);
	return EXIT_TRACER;
}

int main(int argc, char **argv)
{
	struct fault f = { .bytes = -1 };
	bool list = false;
	int opt, status;

	while ((opt = getopt(argc, argv, "+ce:k:n:o:s:")) >= 0)
		switch (opt) {
		case 'c': list = true; break;
		case 'e':
			if ((f.error = error_number(optarg)) == 0)
				return usage();
			break;
		case 'k':
			f.kill_before = strcmp(optarg, "before") == 0;
			f.kill_after = !f.kill_before;
			break;
		case 'n': f.at = strtol(optarg, NULL, 10); break;
		case 'o':
			if ((f.report = fopen(optarg, "we")) == NULL)
				die(optarg);
			break;
		case 's': f.bytes = strtol(optarg, NULL, 10); break;
		default: return usage();
		}
	if (optind == argc || list == (f.at > 0))
		return usage();
	status = follow(&f, start(argv + optind));
	if (f.report && fclose(f.report) != 0)
		die("cannot write the report");
	return end_likewise(status);
}
