/**
 * The system calls that a sandbox may make: the containers default profile, cut to what 64-bit programs use
 * and tightened, since strangers share this kernel. Everything else answers ENOSYS, as on an older kernel,
 * so that libraries fall back (glibc from clone3 to clone, for one).
 *
 * Gone from the default: mounting, new namespaces, io_uring and the older kernel AIO, splice and vmsplice
 * (page cache is shared between sandboxes), keyrings, userfaultfd, bpf, ptrace and reading other processes,
 * NUMA placement, modify_ldt, personality, sync of the whole machine.
 *
 * Gone as well is what holds memory of the kernel that no control group counts, or that all sandboxes share: keys and
 * group memberships of sockets, filters of sockets and of system calls (the kernel's room for compiled filters is one
 * for all, and without it no other sandbox starts), locks of open files, whose holder nobody could name. What of that
 * kind ordinary programs need, `hoards.ts` watches.
 */
const allowed = `
  accept accept4 access alarm arch_prctl bind brk capget capset chdir chmod chown clock_getres clock_gettime
  clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1
  epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat
  faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchown fchownat fdatasync fgetxattr flistxattr
  flock fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futimesat get_mempolicy get_robust_list
  get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername
  getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid
  getsockname getsockopt gettid gettimeofday getuid getxattr inotify_add_watch inotify_init inotify_init1
  inotify_rm_watch ioctl ioprio_get kill landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown
  lgetxattr link linkat listen listxattr llistxattr lremovexattr lseek lsetxattr lstat madvise membarrier
  memfd_create mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap mprotect mq_getsetattr mq_notify
  mq_open mq_timedreceive mq_timedsend mq_unlink mremap msgctl msgget msgrcv msgsnd msync munlock munlockall
  munmap nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc
  pkey_free pkey_mprotect poll ppoll pread64 preadv preadv2 prlimit64 pselect6 pwrite64 pwritev pwritev2
  read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg removexattr rename renameat renameat2
  restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
  rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min
  sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity
  sched_setattr sched_setparam sched_setscheduler sched_yield select semctl semget semop semtimedop
  sendfile sendmmsg sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid
  setgroups setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid
  setuid setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 stat statfs statx symlink
  symlinkat sync_file_range syncfs sysinfo tgkill time timer_create timer_delete timer_getoverrun timer_gettime
  timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat
  utime utimensat utimes vfork wait4 waitid write writev
`

/** Any of the CLONE_NEW* flags. */
const newNamespaces = 0x7e02_0000

const unix = 1
const netlink = 16
const internetFamilies = [2, 10]
const streamAndDatagram = [1, 2]
/** By default, TCP and UDP: other protocols would load kernel modules that nobody audits. */
const protocols = [0, 6, 17]
/** The type argument also carries SOCK_CLOEXEC and SOCK_NONBLOCK. */
const typeMask = 0xf

interface Argument {
  readonly index: number
  readonly value: number
  readonly valueTwo?: number
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_LT' | 'SCMP_CMP_MASKED_EQ'
}

/**
 * All 64 bits are compared, of which the kernel then reads the lower half of some: so what is allowed is named, by
 * comparisons that anything in the upper half fails, or that look at the lower half alone. "Not that one" would be open.
 */
const equals = (index: number, value: number): Argument => ({ index, value, op: 'SCMP_CMP_EQ' })
const below = (index: number, value: number): Argument => ({ index, value, op: 'SCMP_CMP_LT' })
const masked = (index: number, value: { mask: number; equals: number }): Argument => ({
  index,
  value: value.mask,
  valueTwo: value.equals,
  op: 'SCMP_CMP_MASKED_EQ',
})

/** `size`, a power of two, values from `first` on, which is a multiple of it. */
const within = (index: number, { first, size }: { first: number; size: number }): Argument =>
  masked(index, { mask: 0xffff_ffff - (size - 1), equals: first })

/** Options that servers and clients set, by level. */
const socketOptions: readonly { level: number; below?: number; also: readonly number[] }[] = [
  // Of any socket; from 26 on come filters. Time stamps, dropped packets.
  { level: 1, below: 26, also: [29, 35, 40] },
  // IPv4: from 35 on come groups.
  { level: 0, below: 35, also: [] },
  // TCP: 14 is a key. Patience, fast open, unsent data.
  { level: 6, below: 14, also: [18, 23, 25, 30, 36] },
  // UDP: corked and segmented sending.
  { level: 17, below: 2, also: [103, 104] },
  // IPv6: hops, size, errors, whether IPv4 comes too, what a packet was sent to, its class.
  { level: 41, also: [16, 23, 24, 25, 26, 49, 51, 66, 67] },
]

/** What a process may set of itself: 22 is a filter for its calls; the last one names its memory. */
const processOptions = [
  below(0, 22),
  within(0, { first: 24, size: 8 }),
  within(0, { first: 32, size: 32 }),
  equals(0, 0x5356_4d41),
]
/** 36 to 38 are locks of open files; from 1024 on come seals, sizes of pipes and the like. */
const fileCommands = [below(1, 36), within(1, { first: 1024, size: 32 })]

export interface Seccomp {
  readonly defaultAction: string
  readonly defaultErrnoRet: number
  readonly architectures: string[]
  readonly syscalls: { names: string[]; action: string; args?: Argument[] }[]
}

export function seccompProfile(): Seccomp {
  const allow = (names: string[], args?: Argument[]) => ({ names, action: 'SCMP_ACT_ALLOW', ...(args && { args }) })
  const internet = internetFamilies.flatMap((family) =>
    streamAndDatagram.flatMap((type) =>
      protocols.map((protocol) => [
        equals(0, family),
        masked(1, { mask: typeMask, equals: type }),
        equals(2, protocol),
      ]),
    ),
  )
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    architectures: [process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64'],
    syscalls: [
      allow(allowed.trim().split(/\s+/)),
      allow(['clone'], [masked(0, { mask: newNamespaces, equals: 0 })]),
      allow(['socket', 'socketpair'], [equals(0, unix)]),
      // NETLINK_ROUTE only: that is how programs list their interfaces.
      allow(['socket'], [equals(0, netlink), equals(2, 0)]),
      ...internet.map((args) => allow(['socket'], args)),
      ...socketOptions.flatMap(({ level, below: most, also }) => [
        ...(most === undefined ? [] : [allow(['setsockopt'], [equals(1, level), below(2, most)])]),
        ...also.map((option) => allow(['setsockopt'], [equals(1, level), equals(2, option)])),
      ]),
      ...processOptions.map((option) => allow(['prctl'], [option])),
      ...fileCommands.map((command) => allow(['fcntl'], [command])),
    ],
  }
}
