"""What the kernel lets a process forbid itself, on Linux: for good, and for all its children."""

import ctypes
import ctypes.util
import errno
import mmap
import os
import platform
import resource
import signal
from collections.abc import Iterable

NOBODY = 65534

# ---- namespaces


_NEW_MOUNT, _NEW_IPC, _NEW_USER, _NEW_PID, _NEW_NET = (
    0x00020000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_PRIVATE, _BIND, _RECURSIVE = 1 << 18, 1 << 12, 1 << 14


def own_namespaces() -> bool:
    """Leave the network, the other processes and their memory; return whether it worked.

    Afterwards the next child is the first process of a world of its own.
    """
    user, group = os.getuid(), os.getgid()
    flags = _NEW_NET | _NEW_IPC | _NEW_PID | _NEW_MOUNT
    if user != 0:
        flags |= _NEW_USER
    if _libc().unshare(flags) != 0:
        return False
    if user != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    _mount("none", "/", _PRIVATE | _RECURSIVE)
    return True


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _mount(source: str, target: str, flags: int, kind: str = "") -> None:
    code = _libc().mount(source.encode(), target.encode(), kind.encode(), flags, None)
    if code != 0:
        raise OSError(ctypes.get_errno(), f"cannot mount {source} on {target}")


def open_the_way_to(path: str) -> None:
    """Let everybody reach `path`, in this mount namespace, where a parent folder is private.

    A root user's Python may lie below /root, where the user that root becomes cannot go. An
    empty folder takes the place of the private one, with nothing in it but the way to `path`.
    """
    parts = os.path.realpath(path).split("/")
    above = ["/".join(parts[: i + 1]) or "/" for i in range(1, len(parts) - 1)]
    closed = next((folder for folder in above if not os.stat(folder).st_mode & 0o001), None)
    if closed is None:
        return
    target = os.path.realpath(path)
    held = os.open(target, os.O_PATH)
    _mount("none", closed, 0, "tmpfs")
    os.chmod(closed, 0o755)
    os.makedirs(target, 0o755)
    _mount(f"/proc/self/fd/{held}", target, _BIND | _RECURSIVE)
    os.close(held)


def become_nobody() -> None:
    """Give up root's rights for good."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


# ---- Landlock: which files. https://docs.kernel.org/userspace-api/landlock.html
# The packages for it are pre-releases, and it is three system calls.

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_IN_SCRATCH = sum(1 << bit for bit in (1, 2, 3, 4, 5, 7, 8))  # no links, sockets, devices, pipes
_ALL = 0x1FFF
_DEATH_SIGNAL, _NOT_DUMPABLE, _ADOPTS, _NO_NEW_PRIVILEGES = 1, 4, 36, 38


class _Rules(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64))


class _Below(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def has_landlock() -> bool:
    """Whether this kernel has Landlock, switched on."""
    return platform.system() == "Linux" and _landlock_version() > 0


def _landlock_version() -> int:
    return _libc().syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))


def lock_files(readable: Iterable[str], scratch: str) -> None:
    """Leave nothing but these paths to be read, and one folder to be written to.

    Raises
    ------
    OSError
        The kernel does not do it.
    """
    version = _landlock_version()
    handled = _ALL | (1 << 13 if version >= 2 else 0) | (1 << 14 if version >= 3 else 0)
    rules = _Rules(handled, 0b11 if version >= 4 else 0)  # and no TCP
    size = ctypes.c_size_t(16 if version >= 4 else 8)
    ruleset = _checked(_libc().syscall(_CREATE_RULESET, ctypes.byref(rules), size, 0))
    for path in readable:
        _allow(ruleset, path, _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0))
    _allow(ruleset, os.devnull, _READ_FILE | _WRITE_FILE)
    truncate = 1 << 14 if version >= 3 else 0
    _allow(ruleset, scratch, _IN_SCRATCH | truncate)
    no_new_privileges()
    _checked(_libc().syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    folder = os.open(path, os.O_PATH)
    below = _Below(rights, folder)
    _checked(_libc().syscall(_ADD_RULE, ruleset, 1, ctypes.byref(below), 0))
    os.close(folder)


def no_new_privileges() -> None:
    """Never gain rights by running another program."""
    _checked(_libc().prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))


def hide_memory() -> None:
    """Let no other process of this user look into this one."""
    _checked(_libc().prctl(_NOT_DUMPABLE, 0, 0, 0, 0))


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    _checked(_libc().prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0))


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent has ended."""
    _checked(_libc().prctl(_ADOPTS, 1, 0, 0, 0))


def _checked(code: int) -> int:
    if code < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return code


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


# ---- seccomp: which system calls

_NO_PROCESSES = ("fork", "vfork", "execve", "execveat")
_NO_SIGNALS = (
    *("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"),
    *("pidfd_open", "pidfd_send_signal", "pidfd_getfd"),
    *("ptrace", "process_vm_readv", "process_vm_writev", "kcmp"),
)
_NO_NETWORK = ("socket", "socketpair", "connect", "bind", "listen", "accept", "accept4")
_NO_SHARED_MEMORY = (
    *("shmget", "shmat", "shmctl", "msgget", "msgsnd", "msgrcv", "msgctl"),
    *("semget", "semop", "semctl", "semtimedop", "mq_open", "mq_unlink"),
    *("memfd_create", "memfd_secret", "userfaultfd"),
)
# Landlock does not know these.
_NO_OTHER_MODES = ("chmod", "fchmod", "fchmodat", "fchmodat2")
_NO_CHANGES_TO_FILES = (
    *("chown", "fchown", "lchown", "fchownat"),
    *("setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"),
    *("utime", "utimes", "utimensat", "futimesat", "mknod", "mknodat"),
    *("link", "linkat", "symlink", "symlinkat"),
)
_NO_ADMINISTRATION = (
    *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "mount_setattr"),
    *("move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick"),
    *("bpf", "perf_event_open", "keyctl", "add_key", "request_key", "personality"),
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "vmsplice", "quotactl", "acct"),
    *("name_to_handle_at", "open_by_handle_at", "fanotify_init", "inotify_init1"),
    *("init_module", "finit_module", "delete_module", "kexec_load", "reboot", "swapon"),
    *("settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "syslog"),
    *("iopl", "ioperm", "modify_ldt", "sched_setaffinity", "sched_setscheduler", "setpriority"),
)
_A_THREAD = 0x00010000  # the flag of clone that a thread has, and a process has not


#: What neither the warm process nor its children do: to be forbidden once, for all of them. The
#: longer a filter is, the longer the kernel takes to put it to work.
FORBIDDEN_TO_ALL = (
    *_NO_NETWORK,
    *_NO_SHARED_MEMORY,
    *_NO_CHANGES_TO_FILES,
    *_NO_ADMINISTRATION,
)
#: What the warm process does, and no submission may do.
FORBIDDEN_TO_SUBMISSIONS = (*_NO_PROCESSES, *_NO_SIGNALS, *_NO_OTHER_MODES)


def filter_against(calls: Iterable[str], processes: bool = False):  # noqa: ANN201 - pyseccomp's own
    """Return a filter against some system calls.

    Its ``load()`` puts it to work: a forbidden call then fails with "Operation not permitted".

    Parameters
    ----------
    calls
        Their names; what this machine does not have is left out.
    processes
        Whether no process may be started, either; a thread may.

    Raises
    ------
    ImportError
        pyseccomp, or the library that it needs, is not there.
    """
    seccomp = _seccomp()
    no = seccomp.ERRNO(errno.EPERM)
    filters = seccomp.SyscallFilter(seccomp.ALLOW)
    for name in calls:
        try:
            filters.add_rule(no, name)
        except (OSError, RuntimeError, ValueError):
            continue  # this machine, or its library, has no such call
    if processes:
        filters.add_rule(no, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _A_THREAD, 0))
        # Its arguments are out of sight; whoever hears that it does not exist takes clone.
        filters.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    return filters


def has_seccomp() -> bool:
    """Whether `filter_against` can do its work."""
    try:
        _seccomp()
    except ImportError:
        return False
    return True


def _seccomp():  # noqa: ANN202 - a module
    """Import pyseccomp, which looks for its library with programs that are not in a sandbox."""
    look = ctypes.util.find_library
    ctypes.util.find_library = {"c": None, "seccomp": "libseccomp.so.2"}.get
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as problem:
        raise ImportError(f"pyseccomp does not work here: {problem}") from None
    finally:
        ctypes.util.find_library = look
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


def used_space() -> int:
    """Return how many bytes of address space this process has, to a MiB, without /proc.

    The kernel allows no page more once a limit is below what is there: it is looked for by halves.
    """
    before = resource.getrlimit(resource.RLIMIT_AS)
    low, high = 0, 2**46
    while high - low > 2**20:
        middle = (low + high) // 2
        if _fits(middle, before[1]):
            high = middle
        else:
            low = middle
    resource.setrlimit(resource.RLIMIT_AS, before)
    return high


def _fits(space: int, hard: int) -> bool:
    resource.setrlimit(resource.RLIMIT_AS, (space, hard))
    try:
        mmap.mmap(-1, mmap.PAGESIZE).close()
    except (OSError, MemoryError):
        return False
    return True
