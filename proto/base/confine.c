/* SPDX-License-Identifier: ISC */
/* Calls that a child does without; see confine.h. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/base/confine.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER
#endif
#endif

#if defined(__x86_64__)
#define ARCH	   AUDIT_ARCH_X86_64
#define NUMBER_MAX 0x3fffffffU /* above: the same calls for x32 programs */
#elif defined(__aarch64__)
#define ARCH	   AUDIT_ARCH_AARCH64
#define NUMBER_MAX 0xffffffffU
#endif

#if defined(ARCH) && !defined(HAS_SANITIZER)

/* Those without #ifdef are as old as Linux 4. */
static const uint32_t denied[] = {
    /* other programs */
    SYS_execve,
    SYS_execveat,
    SYS_personality,
    /* other processes */
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_kill,
    SYS_rt_sigqueueinfo,
#ifdef SYS_pidfd_getfd
    SYS_pidfd_send_signal,
    SYS_pidfd_getfd,
#endif
    /* other views of the host */
    SYS_unshare,
    SYS_setns,
    SYS_chroot,
    SYS_pivot_root,
    SYS_mount,
    SYS_umount2,
#ifdef SYS_fspick
    SYS_open_tree,
    SYS_move_mount,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
#endif
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
    SYS_open_by_handle_at,
    SYS_mknodat,
#ifdef SYS_mknod
    SYS_mknod,
#endif
    /* the kernel */
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
#endif
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    /* the host */
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_quotactl,
    SYS_syslog,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_vhangup,
#ifdef SYS_iopl
    SYS_iopl,
    SYS_ioperm,
#endif
};

#define DENIED (sizeof(denied) / sizeof(denied[0]))
#define HEAD   4	       /* instructions before those of the calls */
#define ALLOW  (HEAD + DENIED) /* the place of "it is allowed" */
#define DENY   (ALLOW + 1)

_Static_assert(DENY < 256, "a jump is at most that far");

static int
install(void)
{
	struct sock_filter f[DENY + 1] = {
	    BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	    /* The same calls of another machine have other numbers. */
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, DENY - 2),
	    BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NUMBER_MAX, DENY - 4, 0),
	    [ALLOW] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	    [DENY] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog program = {.len = DENY + 1, .filter = f};
	size_t i;

	/* A jump counts from the instruction behind it. */
	for (i = 0; i < DENIED; i++)
		f[HEAD + i] =
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			denied[i], (uint8_t)(DENY - HEAD - i - 1), 0);
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0
		   ? -errno
		   : 0;
}

#elif defined(HAS_SANITIZER)

static int
install(void)
{
	return 0;
}

#else

static int
install(void)
{
	return -ENOTSUP; /* what the numbers of its calls are is not known */
}

#endif

int
confine_self(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return install();
}
