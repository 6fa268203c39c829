"""Settings for every test and for the kernels that nbval starts."""

import os
import tempfile
from collections import Counter
from pathlib import Path

import pytest

# Few tests that take long each: whoever begins with them does not end with one of them.
LONG = (
    *("test_lessons_run", "test_mnist_with_batch_norm", "test_logbook_survives", "test_isolation"),
    *("test_copying", "test_nbgrader", "test_gradescope", "test_packaging", "test_cheat_sheet"),
    *("test_line", "test_lab", "test_types", "04_batch_norm_backward", "test_two_processes"),
)

# Several processes of tests share the cores: threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A progress bar is never the same twice.
os.environ["TQDM_DISABLE"] = "1"
# Nobody's own progress is touched by a test.
os.environ["NORMLAB_PROGRESS"] = str(Path(tempfile.mkdtemp()) / "progress.json")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the files: first those that take long, and then as xdist does, with most tests first."""
    tests = Counter(item.path for item in items)
    items.sort(key=lambda one: (one.path.stem not in LONG, -tests[one.path], str(one.path)))
