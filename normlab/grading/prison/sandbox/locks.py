"""What the kernel keeps a process from, on Linux: a world of its own, few system calls, limits."""

import ctypes
import ctypes.util
import errno
import mmap
import os
import resource
import signal
import types
from typing import Any

NOBODY = 65534
_LIBC = ctypes.CDLL(None, use_errno=True)


def _checked(code: int, what: str) -> None:
    if code != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


# ---- namespaces: https://man7.org/linux/man-pages/man7/namespaces.7.html

_MOUNTS, _HOST, _IPC = 0x00020000, 0x04000000, 0x08000000
_USER, _PROCESSES, _NETWORK = 0x10000000, 0x20000000, 0x40000000
_REST = _MOUNTS | _HOST | _IPC | _NETWORK


def enter_world() -> None:
    """Leave the network, the mounts and the memory of the others; the next child leaves them, too.

    That child is the first process of a world of its own, and sees no other. Root stays root. Here
    and below an `OSError` says that the kernel does not allow it.
    """
    if os.getuid() == 0:
        _unshare(_REST | _PROCESSES)
        return
    proc = os.open("/proc", os.O_RDONLY)
    _enter_users(proc, _REST | _PROCESSES)


def enter_world_as_nobody(proc: int) -> None:
    """Enter namespaces of its own, without root's rights; the open folder /proc is closed."""
    if os.getuid() == 0:
        become_nobody()
    set_dumpable(True)  # what is not dumpable may not write its own map
    _enter_users(proc, _REST)


def next_child_in_its_own(processes: int, own: bool) -> None:
    """Let the next child be the first process of a world of its own, or of this one again.

    `processes` is what `os.pidfd_open` gives for this process.
    """
    if own:
        _unshare(_PROCESSES)
    else:
        _checked(_LIBC.setns(processes, _PROCESSES), "setns")


def _unshare(flags: int) -> None:
    _checked(_LIBC.unshare(flags), "unshare")


def _enter_users(proc: int, others: int) -> None:
    """Enter a new namespace of users, and others: the user's own number is kept, and no other."""
    user, group = os.geteuid(), os.getegid()  # in the new one they are nobody's yet
    _unshare(_USER | others)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        file = os.open(f"self/{name}", os.O_WRONLY, dir_fd=proc)
        os.write(file, text.encode())
        os.close(file)
    os.close(proc)


# ---- mounts

_NO_SUID, _NO_DEVICES = 2, 4
_BIND, _RECURSIVE, _PRIVATE = 1 << 12, 1 << 14, 1 << 18
_DETACH = 2
_MOUNT_SETATTR, _HERE, _AT_RECURSIVE = 442, -100, 0x8000
_READ_ONLY = 1


def keep_mounts_private() -> None:
    """Let nobody else see what is mounted from here on."""
    _mount("none", "/", "", _PRIVATE | _RECURSIVE)


def mount_memory(place: str, size: int, files: int, mode: int = 0o755) -> None:
    """Mount a folder in memory: so many bytes, so many files."""
    options = f"size={size},nr_inodes={files},mode={mode:o}"
    _mount("tmpfs", place, "tmpfs", _NO_SUID | _NO_DEVICES, options)


def show(path: str, root: str) -> None:
    """Let a file or a folder be seen below another root, at its own place and to be read only."""
    target = root + path
    if not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.isdir(path):
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT))
    _mount(path, target, "", _BIND | _RECURSIVE)
    forbid_writing(target)


def forbid_writing(place: str) -> None:
    """Let nothing be written at a place and below it."""
    attributes = (ctypes.c_uint64 * 4)(_READ_ONLY | _NO_SUID)  # set, clear, propagation, users
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    code = _LIBC.syscall(
        _MOUNT_SETATTR, _HERE, place.encode(), _AT_RECURSIVE, ctypes.byref(attributes), size
    )
    _checked(code, f"mount_setattr {place}")


def change_root(root: str) -> None:
    """Make a folder the root, and let go of the one before."""
    os.chdir(root)
    _checked(_LIBC.pivot_root(b".", b"."), "pivot_root")
    _checked(_LIBC.umount2(b".", _DETACH), "umount2")
    os.chdir("/")


def _mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    given = (text.encode() for text in (source, target, kind))
    code = _LIBC.mount(*given, ctypes.c_ulong(flags), options.encode())
    _checked(code, f"mount {target}")


# ---- rights

_DEATH_SIGNAL, _DUMPABLE, _NO_NEW_PRIVILEGES = 1, 4, 38
_CAPABILITIES_3 = 0x20080522  # https://man7.org/linux/man-pages/man2/capget.2.html


def give_up_rights() -> None:
    """Give up all that a user namespace grants, for good, and let nobody look into this process."""
    _prctl(_NO_NEW_PRIVILEGES, 1)
    head, none = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)()
    _checked(_LIBC.capset(head, none), "capset")
    set_dumpable(False)


def set_dumpable(dumpable: bool) -> None:
    """Let other processes of this user look into this one, or not."""
    _prctl(_DUMPABLE, int(dumpable))


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    _prctl(_DEATH_SIGNAL, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    _checked(_LIBC.prctl(option, value, 0, 0, 0), "prctl")


# ---- seccomp: which system calls

#: All that a submission may ask of the kernel. What is not named here is refused.
ALLOWED = (
    # memory
    *("brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore", "membarrier"),
    # what is open
    *("read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek"),
    *("close", "close_range", "dup", "dup2", "dup3", "pipe", "pipe2", "fsync", "fdatasync"),
    *("poll", "ppoll", "select", "pselect6", "eventfd2", "epoll_create", "epoll_create1"),
    *("epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2"),
    # files: all but the scratch folder is read-only
    *("open", "openat", "creat", "stat", "fstat", "lstat", "newfstatat", "statx", "statfs"),
    *("fstatfs", "access", "faccessat", "faccessat2", "getdents", "getdents64", "getcwd", "chdir"),
    *("fchdir", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat"),
    *("renameat2", "readlink", "readlinkat", "umask", "flock", "truncate", "ftruncate"),
    *("fallocate", "fadvise64", "sendfile"),
    # time
    *("clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time"),
    *("times", "alarm", "getitimer", "setitimer"),
    # itself: who it is, its threads, its signals, its end
    *("getpid", "gettid", "getppid", "getpgid", "getpgrp", "getsid", "getuid", "geteuid"),
    *("getgid", "getegid", "getresuid", "getresgid", "getgroups", "uname", "sysinfo", "getrusage"),
    *("getcpu", "getrandom", "getrlimit", "setrlimit", "sched_yield", "sched_getaffinity"),
    *("sched_getparam", "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min"),
    *("arch_prctl", "set_tid_address", "set_robust_list", "get_robust_list", "rseq", "futex"),
    *("futex_wait", "futex_wake", "futex_waitv", "futex_requeue", "restart_syscall"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait"),
    *("rt_sigsuspend", "sigaltstack", "pause", "wait4", "waitid", "exit", "exit_group"),
)
# Calls of many uses, and the numbers of those that are allowed: which argument, and its values.
_TERMINALS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # is it one? how much is there?
_OF_DESCRIPTORS = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030)  # not: whom to send a signal
_NAMES = (15, 16, 0x53564D41)  # of a thread, of memory
ALLOWED_IN_PART = {
    "ioctl": (1, _TERMINALS),
    "fcntl": (1, _OF_DESCRIPTORS),
    "prctl": (0, _NAMES),
    "prlimit64": (0, (0,)),  # its own limits
}
_A_THREAD = 0x00010000  # the flag of clone that a thread has, and a process has not


def make_filter() -> Any:  # noqa: ANN401 - pyseccomp's own
    """Return the filter of a submission: its ``load()`` puts it to work.

    A call that is not allowed fails with "Operation not permitted".
    """
    seccomp = _seccomp()
    filters = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    rules: list[tuple[str, tuple[Any, ...]]] = [(name, ()) for name in ALLOWED]
    for name, (place, values) in ALLOWED_IN_PART.items():
        rules += ((name, (seccomp.Arg(place, seccomp.EQ, value),)) for value in values)
    rules.append(("clone", (seccomp.Arg(0, seccomp.MASKED_EQ, _A_THREAD, _A_THREAD),)))
    for name, arguments in rules:
        try:
            filters.add_rule(seccomp.ALLOW, name, *arguments)
        except (OSError, RuntimeError, ValueError):
            continue  # this machine, or its library, has no such call
    # Its arguments are out of sight; whoever hears that it does not exist takes clone.
    filters.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    return filters


def _seccomp() -> types.ModuleType:
    """Import pyseccomp, which looks for its library with programs that may not be there."""
    looking: Any = ctypes.util
    look = looking.find_library
    looking.find_library = {"c": None, "seccomp": "libseccomp.so.2"}.get
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as problem:
        raise ImportError(f"pyseccomp does not work here: {problem}") from None
    finally:
        looking.find_library = look
    return pyseccomp


# ---- limits


def limit(space: int, seconds: float, file_size: int, threads: int) -> None:
    """Limit this process: address space, processor time, files and threads."""
    for what, most in (
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_FSIZE, file_size),
        (resource.RLIMIT_NPROC, threads),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (most, most))


def lock_up(talk: int, limits: tuple[int, float, int, int], filters: Any) -> None:  # noqa: ANN401
    """Give up all that a notebook lacks: open files, rights, system calls, more of anything.

    Only `talk` stays open. The limits are as `limit` takes them.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.closerange(3, talk)
    os.closerange(talk + 1, os.sysconf("SC_OPEN_MAX"))
    os.setsid()
    limit(*limits)
    give_up_rights()
    filters.load()


def become_nobody() -> None:
    """Let root be the user who owns nothing, for good."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def used_space(proc: int) -> int:
    """Return how many bytes of address space this process has, by the open folder /proc."""
    file = os.open("self/statm", os.O_RDONLY, dir_fd=proc)
    with os.fdopen(file) as pages:
        return int(pages.read().split()[0]) * mmap.PAGESIZE
