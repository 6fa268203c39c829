"""The isolation holds, says what holds, and refuses where it does not.

What has to be seen to fail is planted here: each protection is left out once, and the trial must
notice.
"""

import contextlib
import functools
import os
import pickle
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from normlab.grading import Grader, Limits, NoIsolation, best_isolation
from normlab.grading.prison import isolation, processes
from normlab.grading.prison.isolation import Isolation, no_isolation
from normlab.grading.prison.sandbox import locks
from normlab.grading.prison.view import boot, make_view

ROOT = Path(__file__).parents[2]
LINUX = sys.platform.startswith("linux")
EXERCISE = "02_batch_norm_forward"
SOLUTION = ROOT / "solutions" / f"{EXERCISE}.ipynb"


@functools.cache
def isolated():
    try:
        best_isolation()
    except NoIsolation:
        return False
    return True


needs_isolation = pytest.mark.skipif(not (LINUX and isolated()), reason="nothing to isolate with")


# ---- it holds


@needs_isolation
def test_it_grades_and_says_what_held():
    with Grader(7) as grader:
        assert grader.grade(SOLUTION, EXERCISE).score == 40
        said = "\n".join(grader.isolation.describe())
    for word in ("sandbox for each", "user", "files", "network", "processes", "calls", "memory"):
        assert word in said


HOSTILE = """
import os, socket
def attempt(deed):
    try: deed()
    except (OSError, MemoryError) as refused: return type(refused).__name__
    return "done"
def batch_norm_forward(x, weight, bias, eps):
    deeds = {
        "socket": socket.socket,
        "fork": os.fork,
        "exec": lambda: os.execv(PYTHON, [PYTHON]),
        "kill": lambda: os.kill(os.getppid(), 9),
        "read": lambda: open(SECRET).read(),
        "write": lambda: open(SECRET, "a").write("x"),
        "remove": lambda: os.remove(SECRET),
        "lock": lambda: os.chmod(SECRET, 0),
        "root": lambda: os.setuid(0),
        "mount": lambda: os.chroot("/"),
        "memory": lambda: bytearray(10 * 2**30),
        "file": lambda: open("big", "wb").write(bytes(20 * 2**20)),
        "scratch": lambda: open("small", "wb").write(b"x"),
    }
    print("done:", *[name for name, deed in deeds.items() if attempt(deed) == "done"])
    return x
"""


@needs_isolation
def test_what_is_forbidden_is_refused(tmp_path, write_notebook):
    folder = Path(tempfile.mkdtemp())  # which any user reaches, unlike pytest's
    secret = folder / "secret"
    secret.write_text("a secret")
    for path in (folder, secret):
        path.chmod(0o777)
    known = f"SECRET, PYTHON = {str(secret)!r}, {sys.executable!r}"
    path = write_notebook(tmp_path / "nb.ipynb", known, HOSTILE)
    with Grader(7) as grader:
        said = grader.grade(path, EXERCISE).tasks[0].feedback
        assert grader.grade(SOLUTION, EXERCISE).score == 40
    assert "done: scratch\n" in said
    assert secret.read_text() == "a secret"
    assert secret.stat().st_mode & 0o777 == 0o777
    shutil.rmtree(folder)


@needs_isolation
def test_the_warm_process_ends_with_the_grader():
    """Nobody tidies up after a grader that was killed: its processes must end by themselves."""
    program = (
        "import os, signal, sys, time\n"
        "from normlab.grading import Limits\n"
        "from normlab.grading.prison.isolation import Site\n"
        "site = Site(False, Limits())\n"
        "talk = site.begin()\n"
        "print(site.warm.process.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    run.stdout.readline()
    family = psutil.Process(run.pid).children(recursive=True)
    assert len(family) == 3  # who started it, the warm process, and the submission's
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    assert [one for one in alive if one.status() != "zombie"] == []


# ---- no two submissions share anything

LOOK_AROUND = """
import os, resource
def batch_norm_forward(x, weight, bias, eps):
    print("found", os.getpid(), os.getppid(), os.listdir("."), resource.getrlimit(0)[0] > 0)
    for deed in DEEDS:
        try:
            print("done", eval(deed))
        except (OSError, ValueError) as refused:
            print(type(refused).__name__, end=" ")
    return x
"""
#: What reaches for other processes, in the ways that there are.
DEEDS = {
    "limits": "resource.prlimit(2, resource.RLIMIT_FSIZE, (0, 0))",
    "the first one's limits": "resource.prlimit(1, resource.RLIMIT_CPU, (0, 0))",
    "priorities": "os.setpriority(os.PRIO_PROCESS, 0, 19)",
    "the parent's priority": "os.setpriority(os.PRIO_USER, 0, 19)",
    "idleness": "os.sched_setscheduler(os.getppid(), os.SCHED_IDLE, os.sched_param(0))",
    "processors": "os.sched_setaffinity(0, {0})",
    "whom to signal": "__import__('fcntl').fcntl(0, 8, 1)",
    "which signal": "__import__('fcntl').fcntl(0, 10, 9)",
    "pushed input": "__import__('fcntl').ioctl(0, 0x5412, b'x')",
    "memory that stays": "__import__('fcntl').fcntl(os.memfd_create('x'), 1033, 15)",
    "a new user": "os.setresuid(0, 0, 0)",
    "a pidfd": "os.pidfd_open(1)",
}


def what_it_found(verdict):
    return verdict.tasks[0].feedback.partition("those of one call:")[2].strip().splitlines()


@needs_isolation
@pytest.mark.parametrize("name", DEEDS)
def test_nobody_else_is_in_reach(tmp_path, write_notebook, name, grader):
    path = write_notebook(tmp_path / "nb.ipynb", f"DEEDS = [{DEEDS[name]!r}]", LOOK_AROUND)
    found, refused, *_ = what_it_found(grader.grade(path, EXERCISE))
    assert found.strip() == "found 1 0 [] True"
    assert refused.strip() in ("PermissionError", "OSError")
    assert grader.grade(SOLUTION, EXERCISE).score == 40


@pytest.fixture(scope="module")
def grader():
    with Grader(7) as one:
        yield one


CALLS = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
def batch_norm_forward(x, weight, bias, eps):
    passed = []
    for number in range(512):
        if number not in SKIPPED:
            libc.syscall(number, -1, -1, -1, -1, -1, -1)
            if ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
                passed.append(number)
    print("passed", *passed)
    return x
"""


@needs_isolation
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the numbers are x86-64's")
def test_no_system_call_passes_that_is_not_on_the_list(tmp_path, write_notebook, grader):
    """Every number there is, with arguments that mean nothing: the list is the only way through."""
    names = [*locks.ALLOWED, *locks.ALLOWED_IN_PART, "clone", "clone3"]
    seccomp = locks._seccomp()
    allowed = {335, 336}  # uretprobe, uprobe: no filter sees them, and they end who calls them
    for name in names:
        with contextlib.suppress(OSError, ValueError):
            allowed.add(seccomp.resolve_syscall(seccomp.Arch.NATIVE, name))
    path = write_notebook(tmp_path / "nb.ipynb", f"SKIPPED = {allowed!r}", CALLS)
    verdict = grader.grade(path, EXERCISE)
    assert verdict.tasks[0].status == "graded", verdict
    assert what_it_found(verdict)[0].strip() == "passed"


@needs_isolation
def test_a_folder_of_its_own_is_limited_and_goes_with_it(tmp_path, write_notebook, grader):
    """As many bytes and files as the limits say; and no depth of folders troubles anybody.

    Deeper than Python calls itself. At a path of over 4,096 characters the system itself takes
    long to say where one is, at the learner's cost: twenty seconds here.
    """
    fill = """
import os
for n in range(1900):
    os.mkdir("d"); os.chdir("d")
"""
    count = """
sizes = []
def batch_norm_forward(x, weight, bias, eps):
    files = size = 0
    try:
        while True:
            with open(f"f{files % 50}", "ab") as file: size += file.write(bytes(2**20))
            files += 1
    except OSError: pass
    sizes.append(size // 2**20)
    print(*sizes[:1])
    return x
"""
    with Grader(7, Limits(file_size=4 * 2**20)) as strict:
        path = write_notebook(tmp_path / "nb.ipynb", fill, count)
        begun = time.monotonic()
        said = what_it_found(strict.grade(path, EXERCISE))
        assert said[0].strip() in ("2", "3", "4")
        many = "for n in range(10**6): open(str(n), 'w').close()"
        path = write_notebook(tmp_path / "many.ipynb", many, LOOK_AROUND)
        assert "No space left" in strict.grade(path, EXERCISE).message
        path = write_notebook(tmp_path / "nb.ipynb", "DEEDS = []", LOOK_AROUND)
        assert what_it_found(strict.grade(path, EXERCISE))[0].strip() == "found 1 0 [] True"
        assert strict.grade(SOLUTION, EXERCISE).score == 40
        assert strict._sites[False].starts == 1
        assert time.monotonic() - begun < 30


# ---- the trial notices what is missing


@pytest.fixture
def plant(monkeypatch):
    """Return a function that changes the warm process, and says why it is refused."""

    def run(change):
        program = boot("warm")
        changed = program[-1].replace("warm.main", f"{change}; warm.main")
        monkeypatch.setattr(processes, "boot", lambda _: [*program[:-1], changed])
        with pytest.raises(NoIsolation) as refused:
            best_isolation()
        return str(refused.value)

    return run


PLANTS = {
    "files that can be read": (
        f"warm._importable = lambda base, was=warm._importable: [*was(base), {str(ROOT)!r}]",
        "can read",
    ),
    "the whole machine": ("warm.locks.change_root = lambda root: None", "mount /scratch"),
    "a folder that can be written to": (
        "warm.locks.forbid_writing = lambda place: None; "
        "warm.locks.change_root = lambda root, was=warm.locks.change_root: "
        "(warm.os.mkdir(root + '/dev/shm'), warm.os.chmod(root + '/dev/shm', 0o777), was(root))",
        "can write to /dev/shm",
    ),
    "no filter of calls": (
        "warm.locks.make_filter = lambda: type('Filter', (), {'load': lambda self: None})()",
        "can make a socket",
    ),
    "no limit of the folder": (
        "warm.locks.mount_memory = lambda place, size, *more, was=warm.locks.mount_memory: "
        "was(place, size * 10, *more)",
        "can fill more than its folder",
    ),
}


@needs_isolation
@pytest.mark.parametrize("name", PLANTS)
def test_the_trial_notices(plant, name):
    change, said = PLANTS[name]
    assert said in plant(change)


REFUSALS = {
    "no namespaces": (
        "warm.locks._unshare = lambda flags: (_ for _ in ()).throw(PermissionError(1, 'unshare'))",
        "unshare",
    ),
    "no namespaces for a submission": (
        "warm.locks.enter_world_as_nobody = lambda proc: (_ for _ in ()).throw(OSError('no user'))",
        "no user",
    ),
    "no seccomp": (
        "warm.locks._seccomp = lambda: (_ for _ in ()).throw(ImportError('it is not there'))",
        "it is not there",
    ),
    "a warm process that is broken": ("raise SystemExit('broken')", "broken"),
}


@pytest.mark.skipif(not LINUX, reason="nothing is tried elsewhere")
@pytest.mark.parametrize("name", REFUSALS)
def test_where_it_cannot_be_had_it_refuses_in_one_sentence(plant, name, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    change, said = REFUSALS[name]
    why = plant(change)
    assert said in why
    assert re.search(r"user namespaces.*--no-isolation\.$", why)
    assert "\n" not in why
    assert list(tmp_path.iterdir()) == []


NO_NAMESPACES = """
import errno, os, sys
import pyseccomp as seccomp
rules = seccomp.SyscallFilter(seccomp.ALLOW)
for name in ("unshare", "setns"):
    rules.add_rule(seccomp.ERRNO(errno.EPERM), name)
rules.load()
os.execv(sys.executable, [sys.executable, "-m", "normlab", *sys.argv[1:]])
"""


@pytest.mark.skipif(not LINUX, reason="it is Linux that may refuse it")
def test_in_a_container_that_refuses_namespaces_nothing_is_graded(tmp_path, a_class):
    """As in Docker, with the profile that it has: the command says what to allow."""
    folder = a_class(tmp_path / "all", students=1)
    command = [sys.executable, "-c", NO_NAMESPACES, "grade", folder, "-o", tmp_path / "out"]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 1
    assert "unshare: Operation not permitted" in run.stderr
    assert "user.max_user_namespaces" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out" / "grades.csv").exists()


# Root's Python may lie where no one else can go: it is mounted where they can.
AS_ANOTHER = """
import os, sys
from normlab.grading.prison.sandbox import locks
place, python = sys.argv[1], os.path.realpath(sys.executable)
locks._unshare(locks._MOUNTS)
locks.keep_mounts_private()
locks._mount(sys.base_prefix, place, "", locks._BIND | locks._RECURSIVE)
os.setgroups([])
os.setresgid(12345, 12345, 12345)
os.setresuid(12345, 12345, 12345)
python = place + python.removeprefix(os.path.realpath(sys.base_prefix))
os.execv(python, [python, *sys.argv[2:]])
"""
GRADE = """
import sys
from normlab.grading import Grader
with Grader(7) as grader:
    print(grader.grade(sys.argv[1], sys.argv[2]).score, *grader.isolation.held[:1])
"""


@needs_isolation
@pytest.mark.skipif(os.getuid() != 0, reason="root alone can become somebody else")
def test_a_plain_user_has_the_same_isolation(open_folder):
    command = [sys.executable, "-c", AS_ANOTHER, open_folder, "-c", GRADE, SOLUTION, EXERCISE]
    paths = [str(ROOT), *(path for path in sys.path if path.endswith("-packages"))]
    environment = {"PYTHONPATH": os.pathsep.join(paths), "HOME": "/nowhere", "TMPDIR": "/tmp"}
    run = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        cwd="/",
        env={**os.environ, **environment, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if "No module named" in run.stderr:
        pytest.skip("a plain user cannot reach these packages")
    assert run.returncode == 0, run.stderr
    assert run.stdout.split(",")[0] == "40 user 12345"


# ---- where there is none


def test_the_trial_has_its_time_from_when_its_process_is_ready(monkeypatch):
    clock, ends = [0.0], []
    monkeypatch.setattr(isolation, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def begin():
        clock[0] += 100  # a slow machine, importing torch
        return SimpleNamespace(
            send=lambda message, end: ends.append((message["number"], end)),
            receive=lambda end: {"number": ends[0][0]},
            finish=lambda: None,
        )

    isolation._probe(begin, [], Limits())
    assert ends[0][1] == 100 + isolation._PROBE_SECONDS


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_are_refused(monkeypatch, platform):
    monkeypatch.setattr(isolation.sys, "platform", platform)
    with pytest.raises(NoIsolation, match=f"on {platform}.*--no-isolation"):
        best_isolation()


def test_an_isolation_is_plain_data():
    for one in (Isolation("namespaces", ("a", "b")), no_isolation()):
        assert pickle.loads(pickle.dumps(one)) == one


def test_no_isolation_says_so():
    (said,) = no_isolation().describe()
    assert "NONE" in said


# ---- the view


def test_a_view_holds_no_answer():
    view = make_view(torch=False)
    try:
        files = [str(path.relative_to(view.folder)) for path in view.folder.rglob("*.py")]
        ours = [name for name in files if name.startswith(("harness", "learner"))]
        assert ours
        assert not any(
            name.endswith(".toml") or "/nn/" in name or "tasks/batch" in name for name in ours
        )
        texts = "".join((view.folder / name).read_text() for name in ours)
        for answer in ("batch_norm_forward(", "MISTAKES", "def standardize", "SOLUTION"):
            assert answer not in texts
        assert not (view.folder / "site" / "torch").exists()
        assert (view.folder / "site" / "numpy").exists()
    finally:
        view.remove()
    assert not view.folder.exists()


def test_a_torch_view_has_torch_and_the_data():
    view = make_view(torch=True)
    try:
        assert (view.folder / "site" / "torch").exists()
        assert (view.folder / "learner" / "normlab" / "data").exists()
        assert not (view.folder / "learner" / "normlab" / "training").exists()
    finally:
        view.remove()
