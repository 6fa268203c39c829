"""Torch tasks: the learner's process says what it saw, and the grader what it means."""

import json
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from hostile import FORGE, LIMITS

from normlab.grading import Grader
from normlab.grading.prison.limits import MEBIBYTE

pytestmark = pytest.mark.usefixtures("isolated")


BUGS, MNIST = "13_choose_and_debug", "05_mnist_with_batch_norm"
TORCH = (
    "import copy, sys, numpy as np, torch\nfrom torch.nn.functional import mse_loss, cross_entropy"
)
# The tasks of lesson 5, wrong. The epoch takes no time: nothing is learned.
WRONG_MNIST = """
def train_and_measure(network, optimizer, train_batches, test_batches, epochs):
    network.eval()
    with torch.no_grad():
        return [sum(cross_entropy(network(x), y).item() for x, y in test_batches)] * epochs
def with_batch_norm(network):
    return torch.nn.Sequential(*network)
def train_one_epoch(network, inputs, labels):
    network.eval()(inputs[:64])
def norms_that_remember(state, tiny):
    return []
"""


# Two tasks of lesson 13 of which no wrong program is printed.
WRONG_BUGS = """
def freeze_norms(network, statistics, affine):
    network.train()
def average_networks(networks, batches):
    return networks[0].train()
"""


def printed_programs(stem):
    """Return the programs of a notebook that have to be mended."""
    path = Path(__file__).parents[2] / "exercises" / f"{stem}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return [s for s in sources if s.startswith(("def ", "class ")) and "NotImplemented" not in s]


@pytest.fixture(scope="module")
def grade_torch(tmp_path_factory, write_notebook):
    """Return a function that grades cells, and in front of them what the lesson imports."""
    limits = replace(LIMITS, memory=512 * MEBIBYTE)
    with Grader(seed=7, limits=limits) as grader:

        def run(stem, *cells):
            path = tmp_path_factory.mktemp("torch") / "nb.ipynb"
            write_notebook(path, TORCH, *map(textwrap.dedent, cells))
            return grader.grade(path, stem)

        yield run


@pytest.fixture(scope="module")
def wrong_programs():
    return {BUGS: [*printed_programs(BUGS), WRONG_BUGS], MNIST: [WRONG_MNIST]}


@pytest.fixture(scope="module")
def honestly_wrong(grade_torch, wrong_programs):
    """Return the points of the wrong programs, task by task, where nothing is tried."""
    points = {
        stem: {task.task: task.score for task in grade_torch(stem, *programs).tasks}
        for stem, programs in wrong_programs.items()
    }
    # freeze_norms: one for "everything else learns", which it does.
    assert list(points[BUGS].values()) == [0, 1, 1, 4]
    assert all(score < 10 for task in points.values() for score in task.values())
    return points


TORCH_PATCHES = {
    "comparisons": """
        for name in ('equal', 'allclose', 'isclose', 'isfinite', 'eq', 'all', 'any'):
            setattr(torch, name, lambda *_, **__: torch.tensor(True))
            if hasattr(torch.Tensor, name):
                setattr(torch.Tensor, name, lambda *_, **__: torch.tensor(True))
        torch.Tensor.__eq__ = torch.Tensor.__lt__ = lambda *_: torch.tensor(True)
        torch.Tensor.__ne__ = lambda *_: torch.tensor(False)
        np.allclose = np.array_equal = lambda *_, **__: True
        """,
    "the call of a module": """
        ones = torch.ones
        torch.nn.Module.__call__ = lambda self, x: ones(len(x), getattr(
            next((m for m in reversed(list(self.modules())) if hasattr(m, 'out_features')), self),
            'out_features', 2))
        """,
    "the modes": """
        from torch.nn.modules.batchnorm import _BatchNorm
        def train(self, mode=True):
            for module in self.modules(): module.__dict__['mode'] = mode
            return self
        def forward(self, x):
            return torch.nn.functional.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, self.mode)
        _BatchNorm.forward = forward
        torch.nn.Module.mode = True
        torch.nn.Module.train = train
        torch.nn.Module.training = property(lambda self: True, lambda self, value: None)
        """,
    "what layers there are": """
        decoys = [torch.nn.Linear(784, 10), torch.nn.ReLU()]
        torch.nn.Module.modules = lambda self: iter([self, *decoys])
        """,
    "a tensor's numbers": """
        torch.Tensor.numpy = lambda self, **_: np.ones(tuple(self.shape))
        torch.Tensor.requires_grad_ = lambda self, *_: self
        """,
    "copies": "copy.deepcopy = copy.copy = lambda value, *_: value",
    "the course's helpers": """
        import types
        for name in ('normlab', 'normlab.exercises', 'normlab.tasks',
                     'normlab.tasks.scripts.together', 'normlab.exercises.calling',
                     'normlab.tasks.train_and_keep', 'normlab.training',
                     'normlab.tasks.train_one_epoch'):
            module = types.ModuleType(name)
            module.__getattr__ = lambda _: lambda *_, **__: 1.0
            sys.modules[name] = module
        """,
    "pickle": """
        import pickle
        def script(answer, *arguments): return [np.ones(1)] * 7
        pickle.loads = pickle.load = pickle.Unpickler = lambda *_, **__: script
        torch.load = lambda *_, **__: script
        """,
    "the test set": """
        from normlab import load_mnist
        mnist = load_mnist(tensors=True)
        mnist.test_labels.fill_(0)
        mnist.test_images.zero_()
        """,
}
# Run inside the functions, where the script that calls them is on the stack.
TORCH_DEEDS = {
    "the script in the frames": """
        frame = sys._getframe()
        while frame:
            if 'joined' in frame.f_globals:
                for name, value in list(frame.f_globals.items()):
                    if callable(value) and name[0] == '_' and name[1] != '_':
                        frame.f_globals[name] = lambda *_, **__: np.ones(2)
                frame.f_globals['joined'] = lambda *_: np.ones(3)
                frame.f_globals['plain'] = lambda value: np.ones(np.shape(value))
            frame = frame.f_back
        """,
    "ones for all that is asked": """
        def yes(message):
            for one in message.get('outcomes', []):
                for name, array in one.get('returned', {}).items():
                    one['returned'][name] = np.ones(array.shape)
            return message
        forge(yes)
        """,
    "another class for the network": """
        for value in list(sys._getframe(1).f_locals.values()):
            if isinstance(value, torch.nn.Module):
                value.__class__ = type('Liar', (type(value),), {
                    'training': property(lambda self: True, lambda self, mode: None)})
        """,
}


def doing(deed, programs):
    """Let each function of the programs begin with a deed."""
    deed = "\n".join(["def deed():", textwrap.indent(textwrap.dedent(deed), "    ")])
    wrapped = """
        import functools
        def after_the_deed(function):
            @functools.wraps(function)
            def run(*arguments):
                deed()
                return function(*arguments)
            return run
        for name in ('train_and_keep', 'freeze_norms', 'average_networks',
                     'small_batch_network', 'train_and_measure', 'with_batch_norm',
                     'train_one_epoch', 'norms_that_remember'):
            if name in globals(): globals()[name] = after_the_deed(globals()[name])
        """
    return [FORGE, deed, "\n".join([*programs, textwrap.dedent(wrapped)])]


def gained(verdict, before):
    """Return the points that each task has more than before."""
    assert {task.status for task in verdict.tasks} <= {"graded", "forbidden", "failed"}, verdict
    return {t.task: t.score - before[t.task] for t in verdict.tasks if t.score > before[t.task]}


@pytest.mark.parametrize("stem", [BUGS, MNIST])
@pytest.mark.parametrize("name", TORCH_PATCHES)
def test_what_is_patched_in_torch_gains_nothing(
    grade_torch, honestly_wrong, wrong_programs, name, stem
):
    verdict = grade_torch(stem, TORCH_PATCHES[name], *wrong_programs[stem])
    assert gained(verdict, honestly_wrong[stem]) == {}


@pytest.mark.parametrize("stem", [BUGS, MNIST])
@pytest.mark.parametrize("name", TORCH_DEEDS)
def test_what_is_forged_in_a_torch_task_gains_nothing(
    grade_torch, honestly_wrong, wrong_programs, name, stem
):
    verdict = grade_torch(stem, *doing(TORCH_DEEDS[name], wrong_programs[stem]))
    assert gained(verdict, honestly_wrong[stem]) == {}


LIARS = {
    "a tensor that is equal to all": """
        class Liar(torch.Tensor):
            @classmethod
            def __torch_function__(cls, function, types, args=(), kwargs=None):
                if function.__name__ in ('equal', 'allclose', 'eq', 'isclose', 'lt', 'all'):
                    return True
                return super().__torch_function__(function, types, args, kwargs or {})
        def train_and_keep(*given): return torch.ones(given[5]).as_subclass(Liar)
        """,
    "a tensor whose numbers are another's": """
        class Liar(torch.Tensor):
            def detach(self): return self
            def numpy(self): return self
            def copy(self): return Equal((3,))
        class Equal(np.ndarray):
            __array_priority__ = 1e9
            __eq__ = __le__ = __lt__ = lambda *_: True
            def __array_ufunc__(self, *_, **__): return True
            def __array_function__(self, *_, **__): return True
        def train_and_keep(*given): return torch.ones(given[5]).as_subclass(Liar)
        """,
    "what runs when it is unpickled": """
        class Bomb:
            def __reduce__(self): return exec, ("import os; os._exit(0)",)
        def train_and_keep(*given): return Bomb()
        """,
}


@pytest.mark.parametrize("name", LIARS)
def test_a_tensor_that_lies_is_worth_its_numbers(grade_torch, name):
    task = grade_torch(BUGS, LIARS[name]).tasks[0]
    assert (task.task, str(task.status)) == ("train_and_keep", "graded")
    assert task.score == 0  # no loss was measured, and the network is as it was


def test_what_is_expected_is_not_in_the_frames_of_a_script(grade_torch):
    look = """
        frame, found = sys._getframe(), []
        while frame:
            found += [name for name in {**frame.f_globals, **frame.f_locals}
                      if any(word in name for word in ('read_', 'mended', 'in_steps', 'expect',
                                                       'reference', 'InSteps', 'Mended'))]
            frame = frame.f_back
        found += [name for name in sys.modules if '.tasks.' in name]
        print('found', found[:5])
        """
    verdict = grade_torch(BUGS, *doing(look, [*printed_programs(BUGS), WRONG_BUGS]))
    for task in verdict.tasks:
        printed = task.feedback.partition("here are those of one call:")[2]
        assert printed.partition("Next:")[0].strip().splitlines()[0].strip() == "found []", task


def test_a_trained_network_is_tested_by_the_grader(grade_torch):
    """Whoever says that all was done as asked, and has no network to show, has no points."""
    claims = """
        def deed():
            def claim(message):
                for one in message.get('outcomes', []):
                    if 'batch_sizes' in one.get('returned', {}):
                        one['returned'].update(step_modes=np.ones(313),
                                               batch_sizes=np.r_[np.full(312, 64), 32])
                return message
            forge(claim)
        def train_one_epoch(network, inputs, labels):
            deed()
            network(inputs[:64])
        """
    task = grade_torch(MNIST, FORGE, claims).tasks[2]
    assert [aspect.points for aspect in task.aspects] == [0, 0, 0, 0, 0]
    unmoved = claims.replace("network(inputs[:64])", "pass")
    task = grade_torch(MNIST, FORGE, unmoved).tasks[2]
    assert [aspect.points for aspect in task.aspects] == [0, 0, 0, 0, 0]
