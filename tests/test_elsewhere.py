"""Windows and macOS, as far as Linux can play them: what they lack is taken away beforehand.

Whoever runs this on Windows or macOS runs it for real: taking away what is not there does nothing.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LESSON = "02_batch_norm_forward"

# Everybody else's modules are imported before, for they have their own ways on each system.
LIBRARIES = """
import concurrent.futures.process, ctypes, importlib, inspect, multiprocessing.spawn, os, pathlib
import asyncio, click.testing, filelock, http.server, IPython, ipywidgets, joblib, jupytext
import matplotlib.pyplot
import signal, socket, sqlite3, subprocess, sys, tempfile, torch.utils.data, tqdm, webbrowser
"""
MODULES = ("fcntl", "grp", "pwd", "pyseccomp", "resource", "termios")
WINDOWS_LACKS = {
    "os": (
        *("chown", "fork", "getuid", "geteuid", "getgid", "killpg", "mkfifo", "pidfd_open"),
        *("sched_getaffinity", "setsid", "statvfs", "wait4", "waitpid", "WNOHANG", "O_DIRECTORY"),
        *("O_NOFOLLOW", "getpgid", "uname"),
    ),
    "signal": (
        *("SIGALRM", "SIGKILL", "SIGXCPU", "SIGXFSZ", "SIGSYS", "SIGHUP", "SIGUSR1", "SIGCHLD"),
        *("setitimer", "getitimer", "alarm", "pause", "pthread_kill", "ITIMER_REAL"),
    ),
    "socket": ("AF_UNIX", "send_fds", "recv_fds"),
}
MACOS_LACKS = {
    "os": ("pidfd_open", "sched_getaffinity", "memfd_create", "unshare", "setns"),
    "signal": ("SIGRTMIN", "pidfd_send_signal", "sigtimedwait"),
}
TAKE_AWAY = """
sys.platform = {platform!r}
for module in {modules!r}:
    sys.modules[module] = None
for module, names in {lacks!r}.items():
    for name in names:
        vars(sys.modules[module]).pop(name, None)
"""


SYSTEMS = {
    "windows": TAKE_AWAY.format(platform="win32", modules=MODULES, lacks=WINDOWS_LACKS),
    "macos": TAKE_AWAY.format(platform="darwin", modules=["pyseccomp"], lacks=MACOS_LACKS),
}
PROGRAM = f"""
print("## help")
from click.testing import CliRunner
from normlab.cli.main import normlab
for command in ((), *((name,) for name in normlab.commands)):
    result = CliRunner().invoke(normlab, [*command, "--help"])
    assert result.exit_code == 0 and "Usage:" in result.output, result
    print(*command)

print("## check")
import numpy as np
from normlab import check
def batch_norm_forward(x, weight, bias, eps):
    return weight * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0, ddof=1) + eps) + bias
print(check("batch_norm_forward", batch_norm_forward))

print("## lesson")
book = jupytext.read({str(ROOT / "source" / "lessons" / f"{LESSON}.py")!r})
shell = IPython.InteractiveShell.instance()
for cell in book.cells:
    if cell.cell_type == "code":
        shell.run_cell(cell.source).raise_error()
print("whole lesson")

print("## modules")
import pkgutil, normlab
for found in pkgutil.walk_packages(normlab.__path__, "normlab."):
    # The sandbox is Linux's, __main__ is the command, and scripts are parts of programs.
    if not {{"sandbox", "__main__", "scripts"}} & set(found.name.split(".")):
        importlib.import_module(found.name)
print("all")
"""


@pytest.mark.parametrize("system", SYSTEMS)
def test_commands_have_their_help_check_names_a_mistake_a_lesson_runs_all_is_imported(
    system, tmp_path
):
    """In one process, since all that is imported before takes longer than what is tested.

    A text file that is opened without an encoding is read otherwise on Windows: none of ours is.
    """
    done = subprocess.run(
        (
            *(sys.executable, "-X", "warn_default_encoding", "-c"),
            LIBRARIES + SYSTEMS[system] + PROGRAM,
        ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert not [line for line in done.stderr.splitlines() if f"{ROOT / 'normlab'}{os.sep}" in line]
    said = dict(part.split("\n", 1) for part in done.stdout.split("## ")[1:])
    assert {"lab", "grade", "release", "update", "experiment"} <= set(said["help"].split())
    assert "n - 1" in said["check"]
    assert said["lesson"].splitlines()[-1] == "whole lesson"
    assert said["modules"].splitlines()[-1] == "all"


# ---- the door


DOOR = ROOT / "normlab" / "system.py"
SANDBOX = ROOT / "normlab" / "grading" / "prison" / "sandbox"
# What talks to the sandbox, where `what_isolation_lacks` has said that there can be one.
BEHIND_THE_DOOR = {
    "normlab/grading/prison/isolation.py": {"/proc/1/cmdline", "/proc/self/environ", "/dev/shm"},
    "normlab/grading/prison/processes.py": {"socket.send_fds"},
}


def of_one_system(path):
    """Yield what a file asks for that not every system has, and each question which one it is."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield node.module
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            lacking = node.attr in WINDOWS_LACKS.get(node.value.id, ())
            if lacking or name in ("sys.platform", "os.name", "os.kill", "platform.system"):
                yield name
        elif isinstance(node, ast.Constant) and str(node.value).startswith(("/proc/", "/dev/")):
            yield node.value


@pytest.mark.parametrize(
    "path",
    sorted(path for path in (ROOT / "normlab").rglob("*.py") if SANDBOX not in path.parents),
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_what_not_every_system_has_is_asked_for_at_the_door(path):
    beyond = BEHIND_THE_DOOR.get(path.relative_to(ROOT).as_posix(), set())
    assert path == DOOR or set(of_one_system(path)) == beyond


def test_the_door_is_where_it_is_asked_for():
    found = set(of_one_system(DOOR))
    assert {"signal.SIGALRM", "resource", "os.kill", "os.getuid", "sys.platform"} <= found
