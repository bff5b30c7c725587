/* SPDX-License-Identifier: ISC */
/* A wall clock of its own for one process; see vdso.h. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chaos/cluster/local/vdso.h"
#include "proto/base/spawn.h"
#include "proto/base/text.h"

#define NS_PER_S INT64_C(1000000000)
#define CODE_MAX 512

/*
 * What stands in place of clock_gettime(): the code, then what it adds. An
 * offset is one word, seconds above and nanoseconds below. It is written to
 * the slot that is not in use before that one is chosen, so it is read whole.
 */
#ifdef __x86_64__
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	"vdso_code:\n"
	"	endbr64\n"
	"	movl	$228, %eax\n" /* clock_gettime */
	"	syscall\n"
	"	testl	%eax, %eax\n"
	"	jnz	1f\n"
	"	testl	%edi, %edi\n" /* CLOCK_REALTIME */
	"	jnz	1f\n"
	"	movl	vdso_chosen(%rip), %ecx\n"
	"	leaq	vdso_slots(%rip), %rdx\n"
	"	movq	(%rdx,%rcx,8), %rax\n"
	"	movl	%eax, %ecx\n"
	"	sarq	$32, %rax\n"
	"	addq	%rax, (%rsi)\n"
	"	addq	8(%rsi), %rcx\n"
	"	xorl	%eax, %eax\n"
	"	cmpq	$1000000000, %rcx\n"
	"	jl	2f\n"
	"	subq	$1000000000, %rcx\n"
	"	incq	(%rsi)\n"
	"2:	movq	%rcx, 8(%rsi)\n"
	"1:	ret\n"
	".balign 8\n"
	"vdso_chosen:\n"
	"	.quad	0\n"
	"vdso_slots:\n"
	"	.quad	0, 0\n"
	"vdso_end:\n"
	".popsection\n");

extern const uint8_t vdso_code[], vdso_chosen[], vdso_slots[], vdso_end[];
#define VDSO_NAME "__vdso_clock_gettime"
#else
static const uint8_t vdso_code[] = {0};
#define vdso_chosen vdso_code
#define vdso_slots  vdso_code
#define vdso_end    vdso_code
#define VDSO_NAME   ""
#endif

/* The function in our own vDSO, which is that of every process like us. */
static int
find_function(const uint8_t **at, uint64_t *offset)
{
	void *vdso = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
	const ElfW(Sym) *symbol = NULL;
	Dl_info info;

	*at = vdso != NULL ? dlsym(vdso, VDSO_NAME) : NULL;
	if (*at == NULL ||
	    dladdr1(*at, &info, (void **)&symbol, RTLD_DL_SYMENT) == 0 ||
	    symbol == NULL || symbol->st_size < (size_t)(vdso_end - vdso_code))
		return -ENOTSUP;
	*offset = (uint64_t)(uintptr_t)*at - getauxval(AT_SYSINFO_EHDR);
	return 0;
}

static int
open_proc(pid_t pid, const char *name, int flags)
{
	char path[64];
	int fd;

	text_format(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Where the function is in that process; 0: it has no vDSO. */
static int
locate(pid_t pid, uint64_t offset, uint64_t *at)
{
	ElfW(auxv_t) pair;
	int fd = open_proc(pid, "auxv", O_RDONLY);

	if (fd < 0)
		return fd;
	*at = 0;
	while (*at == 0 && read(fd, &pair, sizeof(pair)) == sizeof(pair))
		if (pair.a_type == AT_SYSINFO_EHDR)
			*at = pair.a_un.a_val + offset;
	close(fd);
	return *at != 0 ? 0 : -ENOTSUP;
}

static int
put(int mem, const void *bytes, size_t len, uint64_t at)
{
	ssize_t n = pwrite(mem, bytes, len, (off_t)at);

	return n < 0 ? -errno : n == (ssize_t)len ? 0 : -EIO;
}

static int
get(int mem, void *bytes, size_t len, uint64_t at)
{
	ssize_t n = pread(mem, bytes, len, (off_t)at);

	return n < 0 ? -errno : n == (ssize_t)len ? 0 : -EIO;
}

/* Nothing of it has run yet, so nobody is in the function. */
static int
replace(pid_t pid)
{
	size_t len = (size_t)(vdso_end - vdso_code);
	uint8_t there[CODE_MAX];
	const uint8_t *ours;
	uint64_t offset, at;
	int mem, err = find_function(&ours, &offset);

	if (err == 0)
		err = locate(pid, offset, &at);
	if (err < 0)
		return err;
	mem = open_proc(pid, "mem", O_RDWR);
	if (mem < 0)
		return mem;
	err = len <= sizeof(there) ? get(mem, there, len, at) : -ENOTSUP;
	if (err == 0 && memcmp(there, ours, len) != 0)
		err = -ENOTSUP; /* it is another vDSO than ours */
	if (err == 0)
		err = put(mem, vdso_code, len, at);
	close(mem);
	return err;
}

int
vdso_take_over(pid_t pid)
{
	int status, err;

	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		return -ECHILD;
	err = replace(pid);
	if (err == 0 && ptrace(PTRACE_DETACH, pid, NULL, NULL) < 0)
		err = -errno;
	/* It is not traced any more: may it be written to still? */
	return err == 0 ? vdso_set_offset(pid, 0) : err;
}

int
vdso_set_offset(pid_t pid, int64_t ns)
{
	int64_t below = (ns % NS_PER_S + NS_PER_S) % NS_PER_S;
	uint64_t word =
	    ((uint64_t)((ns - below) / NS_PER_S) << 32) | (uint64_t)below;
	uint64_t offset, at, chosen;
	const uint8_t *ours;
	int mem, err = find_function(&ours, &offset);

	if (err == 0)
		err = locate(pid, offset, &at);
	if (err < 0)
		return err;
	mem = open_proc(pid, "mem", O_RDWR);
	if (mem < 0)
		return mem;
	offset = at + (uint64_t)(vdso_chosen - vdso_code);
	err = get(mem, &chosen, sizeof(chosen), offset);
	chosen ^= 1;
	if (err == 0 && chosen > 1)
		err = -ENOTSUP; /* what is there is not ours */
	if (err == 0)
		err = put(mem, &word, sizeof(word),
		    at + (uint64_t)(vdso_slots - vdso_code) +
			chosen * sizeof(word));
	if (err == 0)
		err = put(mem, &chosen, sizeof(chosen), offset);
	close(mem);
	return err;
}

int
vdso_try(void)
{
	char path[] = "/proc/self/exe", flag[] = "--version";
	char *argv[] = {path, flag, NULL};
	struct spawn_request r = {
	    .path = path, .argv = argv, .is_stopped = true};
	pid_t pid = spawn(&r);
	int err;

	if (pid < 0)
		return (int)pid;
	err = vdso_take_over(pid);
	spawn_end(pid);
	return err;
}
