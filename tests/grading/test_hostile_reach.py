"""What a notebook looks for is not there, and what it does to others is not done.

What it tries is real: the sockets that it looks for listen, the files that it deletes are there.
"""

import contextlib
import os
import socket
import textwrap
import threading

import pytest
from hostile import EXERCISE, LAST_TWO, LIMITS, LINEAR, RIGHT, VECTORS, cells_with, results

from normlab.grading import Grader

pytestmark = pytest.mark.usefixtures("isolated")


# ---- what it looks for is not there


def what_it_found(verdict):
    """Return what the function printed."""
    _, _, printed = verdict.tasks[0].feedback.partition("here are those of one call:")
    return printed.partition("Next:")[0].strip()


LOOKS = {
    "frames": """
        import sys
        frame, found = sys._getframe(), []
        while frame:
            found += [name for name in {**frame.f_globals, **frame.f_locals}
                      if any(word in name.lower() for word in WORDS)]
            frame = frame.f_back
        """,
    "all objects": """
        import gc
        gc.unfreeze()
        found = [type(o).__name__ for o in gc.get_objects()
                 if type(o).__name__ in ('Mistake', 'Aspect', 'Exercise', 'Variants', 'Grader')]
        """,
    "modules": """
        import sys
        found = [name for name in sys.modules if '.tasks.' in name or name == 'torch'
                 or name.startswith(('normlab.nn', 'normlab.exercises', 'normlab.grading.judge'))]
        """,
    "environment": """
        import os, sys
        text = repr(dict(os.environ)) + repr(sys.argv) + repr(sys.path) + repr(sys.orig_argv)
        found = [word for word in (SECRET, *SUBMISSIONS, 'gradebook') if word in text]
        """,
    "processes": """
        import glob
        found = glob.glob('/proc/*') + glob.glob('/sys/*')
        """,
    "folders": """
        import os
        found = []
        for path in (*SUBMISSIONS, *PACKAGE, '/home', '/root', '/etc', '/tmp', '/var'):
            try: found += [path for name in os.listdir(path) if name not in WAY]
            except OSError: pass
        """,
    "files": """
        import os
        found = []
        for path in FILES:
            try: found.append(open(path).read(20))
            except OSError: pass
        """,
    "the whole tree": """
        import os
        first = not globals().get('walked')
        globals()['walked'] = True
        found = [os.path.join(f, n) for f, _, names in os.walk('/' if first else '.') for n in names
                 if f.endswith('.toml') or n.endswith('.ipynb') or n == 'gradebook.db'
                 or f.endswith(('normlab/nn', 'site-packages/torch'))]
        """,
    "links": """
        import os
        found = []
        for path in FILES:
            try:
                os.symlink(path, 'link')
                found.append(open('link').read(20))
            except OSError: pass
        """,
}


@pytest.mark.parametrize("name", LOOKS)
def test_what_it_looks_for_is_not_there(attack, open_folder, monkeypatch, name):
    import normlab

    monkeypatch.setenv("NORMLAB_SECRET", "hidden-seed-123")
    package = os.path.dirname(normlab.__file__)
    (open_folder / "gradebook.db").write_text("the gradebook")
    (open_folder / "sibling.ipynb").write_text("the sibling's work")
    files = [
        str(open_folder / "sibling.ipynb"),
        str(open_folder / "gradebook.db"),
        f"{package}/tasks/batch_norm_forward.toml",
        f"{package}/nn/functional.py",
        "/etc/passwd",
        "/proc/self/maps",
    ]
    way = {part for path in (os.path.realpath(os.__file__),) for part in path.split("/")}
    way.add("ld.so.cache")
    known = f"""
        SECRET, SUBMISSIONS = 'hidden-seed-123', ({str(open_folder)!r},)
        PACKAGE, FILES = ({package!r},), {files!r}
        WORDS, WAY = ('seed', 'reference', 'recipe', 'expected', 'variants', 'gradebook'), {way!r}
        """
    looks = textwrap.dedent(LOOKS[name]) + "print('found', found[:5])"
    verdict = attack(textwrap.dedent(known), *cells_with(looks))
    assert what_it_found(verdict) == "found []"
    assert results(verdict) == [RIGHT] * 4


# ---- what it does to others is not done


DEEDS = {
    "delete a sibling": "os.remove(SIBLING)",
    "delete all siblings": "import shutil; shutil.rmtree(FOLDER)",
    "rename a sibling": "os.rename(SIBLING, SIBLING + '.old')",
    "empty a sibling": "os.truncate(SIBLING, 0)",
    "lock a sibling": "os.chmod(SIBLING, 0)",
    "write into a sibling": "open(SIBLING, 'a').write('evil')",
    "edit the gradebook": """
        import sqlite3
        book = sqlite3.connect(BOOK)
        book.execute('update grades set score = 10')
        book.commit()
        """,
    "write beside it": "open(FOLDER + '/new', 'w').write('evil')",
    "write by a way around": "open(FOLDER + '/../' + os.path.basename(FOLDER) + '/new', 'w')",
    "climb out": "open('../../../../..' + SIBLING, 'a').write('evil')",
}


@pytest.mark.parametrize("name", DEEDS)
def test_what_it_does_to_others_is_not_done(attack, open_folder, name):
    import sqlite3

    folder = open_folder
    (folder / "sibling.ipynb").write_text("the sibling's work")
    with contextlib.closing(sqlite3.connect(folder / "gradebook.db")) as book, book:
        book.execute("create table grades (score)")
        book.execute("insert into grades values (3)")
    for path in folder.iterdir():
        path.chmod(0o777)

    def state():
        return {p.name: (p.read_bytes(), p.stat().st_mode) for p in sorted(folder.iterdir())}

    before = state()
    known = f"""
        import os
        FOLDER, SIBLING = {str(folder)!r}, {str(folder / "sibling.ipynb")!r}
        BOOK = {str(folder / "gradebook.db")!r}
        """
    verdict = attack(known, *cells_with(DEEDS[name]))
    assert state() == before
    assert results(verdict)[1:] == [RIGHT] * 3
    assert results(verdict)[0][1] == 0


@contextlib.contextmanager
def listening(kind, family, address):
    """Listen at an address, and note whatever comes."""
    heard = []
    with socket.socket(family, kind) as server:
        server.bind(address)
        server.settimeout(0.05)
        if kind == socket.SOCK_STREAM:
            server.listen()
        stop = threading.Event()

        def listen():
            while not stop.is_set():
                with contextlib.suppress(TimeoutError):
                    if kind == socket.SOCK_STREAM:
                        connection, _ = server.accept()
                        connection.close()
                        heard.append("a call")
                    else:
                        heard.append(server.recv(10))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield server.getsockname(), heard
        finally:
            stop.set()
            thread.join(10)


@pytest.mark.parametrize(
    ("kind", "family", "name"),
    [
        ("SOCK_STREAM", "AF_INET", "loopback"),
        ("SOCK_DGRAM", "AF_INET", "loopback"),
        ("SOCK_STREAM", "AF_UNIX", "file"),
        ("SOCK_STREAM", "AF_UNIX", "abstract"),
    ],
)
def test_nobody_hears_of_it(attack, open_folder, kind, family, name):
    address = {
        "loopback": ("127.0.0.1", 0),
        "file": str(open_folder / "socket"),
        "abstract": f"\0normlab-test-{os.getpid()}",
    }[name]
    kinds = getattr(socket, kind), getattr(socket, family)
    with listening(*kinds, address) as (reached, heard):
        if isinstance(reached, bytes):
            reached = reached.decode()
        if name == "file":
            os.chmod(reached, 0o777)
        deed = f"""
            import socket
            s = socket.socket(socket.{family}, socket.{kind})
            s.connect({reached!r})
            s.send(b'hello')
            """
        verdict = attack(*cells_with(deed))
    assert heard == []
    assert results(verdict) == [("forbidden", 0), RIGHT, RIGHT, RIGHT]


def test_what_one_leaves_in_its_folder_the_next_does_not_find(attack):
    leave = "import os\nopen('left', 'w').write('x')\nos.mkdir('locked', mode=0)"
    attack(leave, VECTORS, LINEAR, LAST_TWO)
    look = "import os\nprint('found', os.listdir('.'))"
    assert what_it_found(attack(*cells_with(look))) == "found []"


def test_what_one_leaves_in_its_folder_does_not_end_the_warm_process(tmp_path, write_notebook):
    leave = """
        import os
        os.makedirs('locked/inner')
        open('locked/inner/file', 'w').write('x')
        os.symlink('locked', 'link')
        os.symlink('/usr', 'link out')
        os.chmod('locked', 0)
        """
    path = write_notebook(tmp_path / "nb.ipynb", textwrap.dedent(leave), VECTORS, LINEAR, LAST_TWO)
    with Grader(seed=7, limits=LIMITS) as grader:
        verdicts = [grader.grade(path, EXERCISE) for _ in range(2)]
        (site,) = grader._sites.values()
        assert site.starts == 1
    assert all(verdict.score == 40 and verdict.learner_cpu_seconds > 0 for verdict in verdicts)
