"""The isolation holds, says what holds, and refuses where it does not.

What has to be seen to fail is planted here: each protection is left out once, and the trial must
notice.
"""

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from normlab.grading import Grader, Limits, NoIsolation, best_isolation, isolation
from normlab.grading.isolation import Isolation, Site, bubblewrap_command, no_isolation
from normlab.grading.processes import CannotStart
from normlab.grading.view import boot, installed, make_view

ROOT = Path(__file__).parents[2]
LINUX = sys.platform.startswith("linux")
EXERCISE = "02_batch_norm_forward"
SOLUTION = ROOT / "solutions" / f"{EXERCISE}.ipynb"


def works(name):
    try:
        isolation._what_holds(name)
    except NoIsolation:
        return False
    return True


def needs(name):
    return pytest.param(
        name, marks=pytest.mark.skipif(not (LINUX and works(name)), reason=f"no {name} here")
    )


KINDS = [needs("bubblewrap"), needs("kernel")]


@pytest.fixture
def fresh_trials():
    """Forget earlier trials, and afterwards those of the test."""
    trials = isolation._what_holds
    trials.cache_clear()
    yield
    trials.cache_clear()


# ---- each kind


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_grades(name):
    with Grader(7, isolation=Isolation(name)) as grader:
        assert grader.grade(SOLUTION, EXERCISE).score == 30


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_says_what_holds(name):
    said = "\n".join(Isolation(name, isolation._what_holds(name)).describe())
    for word in (name, "user", "files", "network", "processes", "memory"):
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


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_refuses_alike(name, tmp_path, write_notebook):
    folder = Path(tempfile.mkdtemp())  # which any user reaches, unlike pytest's
    secret = folder / "secret"
    secret.write_text("a secret")
    for path in (folder, secret):
        path.chmod(0o777)
    known = f"SECRET, PYTHON = {str(secret)!r}, {sys.executable!r}"
    path = write_notebook(tmp_path / "nb.ipynb", known, HOSTILE)
    with Grader(7, isolation=Isolation(name)) as grader:
        said = grader.grade(path, EXERCISE).tasks[0].feedback
        assert grader.grade(SOLUTION, EXERCISE).score == 30
    assert "done: scratch\n" in said
    assert secret.read_text() == "a secret"
    assert secret.stat().st_mode & 0o777 == 0o777
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", KINDS)
def test_the_warm_process_ends_with_the_grader(name):
    """Nobody tidies up after a grader that was killed: its processes must end by themselves."""
    program = (
        "import os, signal, sys\n"
        "from normlab.grading import Limits\n"
        "from normlab.grading.isolation import Isolation, Site\n"
        f"site = Site(Isolation({name!r}), False, Limits())\n"
        "talk = site.begin()\n"
        "print(site.warm.process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    pid = int(run.stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists():
            return
        subprocess.run(["sleep", "0.05"], check=True)
    state = Path(f"/proc/{pid}/status").read_text()
    assert "zombie" in state


# ---- the trial notices what is missing


def without(command, *part):
    """Take a run of arguments out of a command."""
    for at in range(len(command)):
        if tuple(command[at : at + len(part)]) == part:
            return command[:at] + command[at + len(part) :]
    raise AssertionError(f"{part} is not in the command")


@pytest.mark.skipif(not (LINUX and works("bubblewrap")), reason="no bubblewrap here")
class TestTheTrialNotices:
    def plant(self, monkeypatch, change):
        command = bubblewrap_command
        monkeypatch.setattr(
            isolation, "bubblewrap_command", lambda view, limits: change(command(view, limits))
        )
        isolation._what_holds.cache_clear()
        with pytest.raises(NoIsolation) as refused:
            isolation._what_holds("bubblewrap")
        return str(refused.value)

    def test_files_that_can_be_read(self, monkeypatch, fresh_trials):
        def all_of_it(command):
            at = command.index("--ro-bind")
            return [*command[:at], "--ro-bind", "/", "/", *command[at:]]

        # Folders cannot be made in it, or secrets can be read: either way it is refused.
        assert self.plant(monkeypatch, all_of_it)

    def test_a_folder_with_secrets(self, monkeypatch, fresh_trials):
        package = str(ROOT / "normlab")

        def package_too(command):
            at = len(command) - 1 - command[::-1].index("--remount-ro")
            way = isolation._open_folders(package)
            return [*command[:at], *way, "--ro-bind", package, package, *command[at:]]

        assert "can read" in self.plant(monkeypatch, package_too)

    def test_a_folder_that_can_be_written_to(self, monkeypatch, fresh_trials):
        def writable(command):
            at = len(command) - 1 - command[::-1].index("--remount-ro")
            return [*command[:at], "--perms", "0777", "--tmpfs", "/tmp", *command[at:]]

        assert "can write to /tmp" in self.plant(monkeypatch, writable)

    def test_a_network(self, monkeypatch, fresh_trials):
        monkeypatch.setattr("normlab.grading.view._ALWAYS", ("numpy", "cloudpickle"))
        installed.cache_clear()
        try:
            said = self.plant(monkeypatch, lambda command: without(command, "--unshare-net"))
        finally:
            installed.cache_clear()
        # Without a route of this machine's own there is none to be found.
        assert "network" in said

    def test_root(self, monkeypatch, fresh_trials):
        def as_root(command):
            return [
                part.replace("warm.main", "warm.locks.become_nobody = lambda: None; warm.main")
                for part in command
            ]

        if os.getuid() == 0:
            assert "root" in self.plant(monkeypatch, as_root)


def test_the_namespaces_alone_keep_the_network_away(fresh_trials, monkeypatch):
    """Without seccomp there are sockets, and no way out."""
    if not (LINUX and works("bubblewrap")):
        pytest.skip("no bubblewrap here")
    isolation._what_holds.cache_clear()
    installed.cache_clear()
    monkeypatch.setattr("normlab.grading.view._ALWAYS", ("numpy", "cloudpickle"))
    try:
        said = isolation._what_holds("bubblewrap")
    finally:
        installed.cache_clear()
    assert any("none is reachable" in line for line in said)
    assert any("a limited number" in line for line in said)


def test_without_seccomp_what_was_forked_ends_with_its_submission(
    tmp_path, write_notebook, monkeypatch
):
    if not (LINUX and works("bubblewrap")):
        pytest.skip("no bubblewrap here")
    forks = "import os, time\nfor _ in range(5):\n    if os.fork() == 0: time.sleep(60)"
    path = write_notebook(tmp_path / "nb.ipynb", forks)
    monkeypatch.setattr("normlab.grading.view._ALWAYS", ("numpy", "cloudpickle"))
    installed.cache_clear()
    try:
        with Grader(7, isolation=Isolation("bubblewrap")) as grader:
            grader.grade(path, EXERCISE)
            outer = grader._sites[False].warm.process.pid
            first = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0]
            inside = [p for p in Path("/proc").glob("[0-9]*/ns/pid") if _same(p, first)]
            assert len(inside) == 2  # bubblewrap's own, and the warm process
            assert grader.grade(SOLUTION, EXERCISE).score == 30
    finally:
        installed.cache_clear()


def _same(link, pid):
    try:
        return os.readlink(link) == os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return False


def test_landlock_is_not_enough_without_seccomp(fresh_trials, monkeypatch):
    """It lets datagrams through, and the modes of the teacher's own files be changed."""
    if not (LINUX and works("kernel")):
        pytest.skip("no Landlock here")
    isolation._what_holds.cache_clear()
    installed.cache_clear()
    monkeypatch.setattr("normlab.grading.view._ALWAYS", ("numpy", "cloudpickle"))
    try:
        with pytest.raises(NoIsolation, match="seccomp"):
            isolation._what_holds("kernel")
    finally:
        installed.cache_clear()


# ---- what is there


@pytest.mark.skipif(not LINUX, reason="the warm process is for Linux")
def test_all_that_the_warm_process_is_made_of_is_there():
    """Where a module of it is missing nothing starts, and every test of it is left out."""
    view = make_view(torch=False)
    try:
        program = boot("warm")[-1].replace("warm.main(*sys.argv[1:])", "print(warm.__file__)")
        command = [sys.executable, "-I", "-S", "-c", program, view.folder]
        run = subprocess.run(command, capture_output=True, text=True)
        assert run.stdout.startswith(str(view.folder)), run.stderr
    finally:
        view.remove()


# ---- choosing


def test_the_best_is_bubblewrap_and_else_the_kernels(monkeypatch, fresh_trials):
    if not (LINUX and works("kernel")):
        pytest.skip("no Landlock here")
    monkeypatch.setattr(isolation, "_bubblewrap", lambda: None)
    isolation._what_holds.cache_clear()
    assert best_isolation().name == "kernel"


@pytest.mark.skipif(not (LINUX and works("bubblewrap")), reason="no bubblewrap here")
def test_what_was_tried_is_what_grades():
    """The warm process of the trial is not thrown away, and no other is started."""
    with Grader(7) as grader:
        site = grader._sites[False]
        tried = site.warm.process.pid
        assert grader.isolation == best_isolation()
        assert grader.grade(SOLUTION, EXERCISE).score == 30
        assert site.warm.process.pid == tried
        assert site.starts == 1


def test_a_trial_that_fails_leaves_nothing(monkeypatch, tmp_path):
    if not LINUX:
        pytest.skip("nothing is tried elsewhere")
    monkeypatch.setattr(isolation, "boot", lambda module: ["-c", "raise SystemExit('broken')"])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(NoIsolation, match="broken"):
        Grader(7)
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_none_it_says_so_in_one_sentence(monkeypatch, fresh_trials):
    def nothing(name):
        raise NoIsolation("it is not there")

    monkeypatch.setattr(isolation, "_what_holds", nothing)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(NoIsolation, match=r"bubblewrap.*--no-isolation\.$") as refused:
        best_isolation()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_are_refused(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(NoIsolation, match=f"on {platform}.*--no-isolation"):
        best_isolation()


def test_an_isolation_is_plain_data():
    for one in (Isolation("kernel", ("a", "b")), no_isolation()):
        assert pickle.loads(pickle.dumps(one)) == one


def test_no_isolation_says_so():
    (said,) = no_isolation().describe()
    assert "NONE" in said


def test_what_does_not_start_says_what_it_said(monkeypatch):
    monkeypatch.setattr(
        isolation,
        "bubblewrap_command",
        lambda *_: [sys.executable, "-c", "raise SystemExit('no such thing')"],
    )
    site = Site(Isolation("bubblewrap"), torch=False, limits=Limits())
    try:
        with pytest.raises(CannotStart, match="no such thing"):
            site.begin()
    finally:
        site.close()


# ---- the view


def test_a_view_holds_no_answer():
    view = make_view(torch=False)
    try:
        files = [str(path.relative_to(view.folder)) for path in view.folder.rglob("*.py")]
        ours = [name for name in files if name.startswith(("harness", "learner"))]
        assert ours
        assert not any("catalogue" in name or "/nn/" in name for name in ours)
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
