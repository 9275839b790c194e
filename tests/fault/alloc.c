/*
 * Preloaded into a tool: makes one of its allocations fail.
 *
 *	ALLOC_FAIL=N       the Nth since main() began, and no other
 *	ALLOC_FAIL_FROM=N  that one, and all that follow
 *	ALLOC_REPORT=FILE  gets a line "failed N", where one did, and "signal N", where the
 *	                   process died of one, each followed by the stack
 *	ALLOC_TRACE=1      a line "N HASH" for each allocation, HASH telling the stacks apart
 *
 * Counted are malloc() and its kin, whoever calls them (so strdup(), fopen() and what
 * libraries do), and mmap() of anonymous memory.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEPTH 48

static struct {
	bool armed, trace;
	long one, from; /* 0: none */
	int report;
} plan = { .report = -1 };
static atomic_long count;
static __thread bool inside; /* what the report itself allocates is not counted */

/* The next library's function of this name: libc's, or a sanitizer's. */
static void find(const char *name, void *to)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (!p)
		abort();
	memcpy(to, &p, sizeof(p));
}

#define NEXT(function, ...)                                                                        \
	static __typeof__(function) *next;                                                         \
	if (!next)                                                                                 \
		find(#function, &next);                                                            \
	return next(__VA_ARGS__)

static void report_stack(const char *what, long n)
{
	void *stack[DEPTH];

	if (plan.report < 0)
		return;
	dprintf(plan.report, "%s %ld\n", what, n);
	backtrace_symbols_fd(stack, backtrace(stack, DEPTH), plan.report);
}

static void trace_stack(long n)
{
	void *stack[DEPTH];
	int depth = backtrace(stack, DEPTH);
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (int i = 0; i < depth; i++)
		h = (h ^ (uint64_t)(uintptr_t)stack[i]) * UINT64_C(1099511628211);
	dprintf(plan.report, "%ld %016" PRIx64 "\n", n, h);
}

static bool fails(void)
{
	bool failed;
	long n;

	if (!plan.armed || inside)
		return false;
	n = atomic_fetch_add(&count, 1) + 1;
	failed = n == plan.one || (plan.from && n >= plan.from);
	inside = true;
	if (plan.trace)
		trace_stack(n);
	if (failed && (n == plan.one || n == plan.from))
		report_stack("failed", n);
	inside = false;
	if (failed)
		errno = ENOMEM;
	return failed;
}

/* ---- the functions ---- */

static void *allocate(size_t n)
{
	if (fails())
		return NULL;
	NEXT(malloc, n);
}

void *malloc(size_t n)
{
	return allocate(n);
}

void *calloc(size_t n, size_t size)
{
	if (fails())
		return NULL;
	NEXT(calloc, n, size);
}

void *realloc(void *p, size_t n)
{
	if (n && fails())
		return NULL;
	NEXT(realloc, p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
	if (fails())
		return NULL;
	NEXT(aligned_alloc, alignment, n);
}

int posix_memalign(void **p, size_t alignment, size_t n)
{
	if (fails())
		return ENOMEM;
	NEXT(posix_memalign, p, alignment, n);
}

/* libc's own calls malloc(), but a sanitizer's does not. */
char *strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = allocate(n);

	return p ? memcpy(p, s, n) : NULL;
}

char *strndup(const char *s, size_t max)
{
	size_t n = strnlen(s, max);
	char *p = allocate(n + 1);

	if (!p)
		return NULL;
	p[n] = '\0';
	return memcpy(p, s, n);
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	if ((flags & MAP_ANONYMOUS) && fails())
		return MAP_FAILED;
	NEXT(mmap, at, n, prot, flags, fd, offset);
}

/* ---- from main on ---- */

static void on_crash(int sig)
{
	inside = true;
	report_stack("signal", sig);
	signal(sig, SIG_DFL);
	raise(sig);
}

static long number(const char *name)
{
	const char *s = getenv(name);

	return s ? strtol(s, NULL, 10) : 0;
}

static void arm(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	const char *path = getenv("ALLOC_REPORT");
	void *stack[DEPTH];
	int fd;

	backtrace(stack, DEPTH); /* the first one loads the unwinder, which allocates */
	plan.one = number("ALLOC_FAIL");
	plan.from = number("ALLOC_FAIL_FROM");
	if (path && (fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) >= 0) {
		/* Out of the way: the tool's descriptors are as they always are. */
		plan.report = fcntl(fd, F_DUPFD_CLOEXEC, 200);
		close(fd);
	}
	plan.trace = plan.report >= 0 && number("ALLOC_TRACE");
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		if (!dlsym(RTLD_DEFAULT, "__asan_init")) /* which says more than we could */
			signal(crashes[i], on_crash);
	plan.armed = true;
}

typedef int main_function(int, char **, char **);
typedef void nothing_function(void);

static main_function *real_main;

static int armed_main(int argc, char **argv, char **envp)
{
	int status;

	arm();
	status = real_main(argc, argv, envp);
	plan.armed = false; /* what follows is the library's, or a report of coverage */
	return status;
}

int __libc_start_main(main_function *m, int argc, char **argv, nothing_function *init,
                      nothing_function *fini, nothing_function *rtld_fini, void *stack_end);

int __libc_start_main(main_function *m, int argc, char **argv, nothing_function *init,
                      nothing_function *fini, nothing_function *rtld_fini, void *stack_end)
{
	real_main = m;
	NEXT(__libc_start_main, armed_main, argc, argv, init, fini, rtld_fini, stack_end);
}
