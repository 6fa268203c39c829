"""Lesson 13: mends written in many ways get full points, and the printed programs are named."""

import copy
import itertools
import re
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import jupytext
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - as PyTorch's own code calls it

import normlab.exercises
from normlab import check
from normlab.exercises import find

SOURCE = Path(__file__).parents[2] / "source"
# Five programs are the lesson's own, the others are the exercise's.
LESSON, EXERCISE = (
    jupytext.read(SOURCE / folder / "13_choose_and_debug.py") for folder in ("lessons", "exercises")
)
WAY = re.compile(r"One way to write it</summary>\n\n```python\n(.*?)```", re.DOTALL)
IMPORTED = {"copy": copy, "torch": torch, "mse_loss": F.mse_loss}

# ---- the printed programs, unmended


def printed(name):
    """Run the program that is printed in the notebook before the learner's cell."""
    return defined(name, source_of(name))


def source_of(name):
    begins = (f"def {name}(", f"class {name}(")
    cells = (*LESSON.cells, *EXERCISE.cells)
    cell = next(c for c in cells if c.source.startswith(begins))
    assert "nbgrader" not in cell.metadata
    assert "NotImplementedError" not in cell.source
    return cell.source


def defined(name, source):
    exec(source, namespace := dict(IMPORTED))
    return namespace[name]


@pytest.mark.parametrize(
    ("name", "mistake", "points"),
    [
        ("fine_tune", "frozen by requires_grad only", 2),
        ("predict", "no_grad taken for eval", 3),
        ("update_teacher", "buffers left behind", 3),
        ("small_batch_network", "batch of two", 4),
        ("SensorNet", "rows normalized", 3),
        ("split_and_standardize", "statistics of the whole set", 2),
    ],
)
def test_the_printed_program_is_named(name, mistake, points):
    for seed in (2015, 0, 1):
        report = check(name, printed(name), seed=seed)
        assert report.mistakes == (mistake,), report
        assert report.points == points


@pytest.mark.parametrize(
    "name", ["fine_tune", "predict", "update_teacher", "SensorNet", "split_and_standardize"]
)
def test_the_way_that_the_lesson_folds_is_right(name):
    ways = [way for cell in LESSON.cells for way in WAY.findall(cell.source)]
    (way,) = (way for way in ways if re.match(rf"(def|class) {name}\b", way))
    report = check(name, defined(name, way))
    assert report.passed, report


# ---- train_and_keep: three bugs, and each costs its own points

MENDS = {
    "rows for validation in the mean": (
        "x.mean(0)) / x.std(0)",
        "x[:size].mean(0)) / x[:size].std(0)",
    ),
    "trained in evaluation mode from the second epoch": (
        "for _ in range(epochs):\n",
        "for _ in range(epochs):\n        network.train()\n",
    ),
    "what is kept moves along": (
        "kept = network.state_dict()",
        "kept = {name: value.clone() for name, value in network.state_dict().items()}",
    ),
}
POINTS = dict(zip(MENDS, (3, 4, 3), strict=True))


@pytest.mark.parametrize(
    "mended", [some for size in range(4) for some in itertools.combinations(MENDS, size)], ids=str
)
def test_each_of_three_bugs_costs_its_own_points(mended):
    text = source_of("train_and_keep")
    for bug in mended:
        old, new = MENDS[bug]
        assert text.count(old) == 1
        text = text.replace(old, new)
    report = check("train_and_keep", defined("train_and_keep", text))
    assert report.points == sum(POINTS[bug] for bug in mended)
    said = " ".join(str(report).split())
    left = [one for one in find("train_and_keep").mistakes if one.key in {*MENDS} - {*mended}]
    assert len(left) == 3 - len(mended)
    # Of three at once the third may be told by its numbers alone.
    named = sum(" ".join(one.what.split()) in said for one in left)
    assert named >= min(2, len(left)), report


# ---- fine_tune


def _train(body, head, batches, validation, epochs, lr, before_epoch, ask=None):
    """Train the head; what is done before each epoch is the mend."""
    network = ask or nn.Sequential(body, head)
    optimizer = torch.optim.SGD(head.parameters(), lr=lr)
    losses = []
    for _ in range(epochs):
        before_epoch()
        for x, y in batches:
            optimizer.zero_grad()
            F.mse_loss(network(x), y).backward()
            optimizer.step()
        body.eval()
        head.eval()
        with torch.no_grad():
            losses.append(F.mse_loss(network(validation[0]), validation[1]).item())
    return losses


def body_put_to_eval_after_train(body, head, batches, validation, epochs, lr):
    def modes():
        head.train()
        body.eval()

    return _train(body, head, batches, validation, epochs, lr, modes)


def only_batch_norms_put_to_eval(body, head, batches, validation, epochs, lr):
    def modes():
        nn.Sequential(body, head).train()
        for module in body.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()

    return _train(body, head, batches, validation, epochs, lr, modes)


def body_that_cannot_be_trained(body, head, batches, validation, epochs, lr):
    body.eval()
    body.train = lambda mode=True: body
    network = nn.Sequential(body, head)
    return _train(body, head, batches, validation, epochs, lr, network.train)


def features_computed_once(body, head, batches, validation, epochs, lr):
    body.eval()
    with torch.no_grad():
        batches = [(body(x), y) for x, y in batches]
        validation = (body(validation[0]), validation[1])
    return _train(body, head, batches, validation, epochs, lr, head.train, ask=head)


def a_copy_of_the_body(body, head, batches, validation, epochs, lr):
    frozen = copy.deepcopy(body).eval()
    return _train(frozen, head, batches, validation, epochs, lr, head.train)


def losses_as_a_tensor(body, head, batches, validation, epochs, lr):
    losses = body_put_to_eval_after_train(body, head, batches, validation, epochs, lr)
    return torch.tensor(losses)


# ---- predict


def with_a_list_of_modes(network, x, batch_size):
    modes = [module.training for module in network.modules()]
    try:
        return network.eval()(x).detach()
    finally:
        for module, mode in zip(network.modules(), modes, strict=True):
            module.training = mode


def on_a_copy(network, x, batch_size):
    other = copy.deepcopy(network).eval()
    with torch.inference_mode():
        return torch.cat([other(rows) for rows in x.split(batch_size)])


def row_by_row(network, x, batch_size):
    training = [module for module in network.modules() if module.training]
    network.eval()
    scores = [network(row[None])[0] for row in x]
    for module in training:
        module.training = True
    return torch.stack(scores).detach()


@torch.no_grad()
def with_a_decorator(network, x, batch_size):
    names = {name: module.training for name, module in network.named_modules()}
    network.train(False)
    parts = []
    for start in range(0, len(x), batch_size):
        parts.append(network(x[start : start + batch_size]))
    for name, training in names.items():
        network.get_submodule(name).training = training
    return torch.vstack(parts)


def with_a_functional_call(network, x, batch_size):
    other = copy.deepcopy(network).requires_grad_(False)
    other.eval()
    state = dict(network.state_dict())
    return torch.func.functional_call(other, state, (x,)).clone()


# ---- update_teacher


def buffers_after_parameters(teacher, student, decay):
    with torch.no_grad():
        for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
            ours.lerp_(theirs, 1 - decay)
        for ours, theirs in zip(teacher.buffers(), student.buffers(), strict=True):
            ours.copy_(theirs)


def by_a_state_dict(teacher, student, decay):
    before = {name: value.clone() for name, value in teacher.named_parameters()}
    teacher.load_state_dict(student.state_dict())
    for name, parameter in teacher.named_parameters():
        parameter.data = decay * before[name] + (1 - decay) * parameter.data


def by_a_new_state_dict(teacher, student, decay):
    averaged = {name for name, _ in student.named_parameters()}
    old = teacher.state_dict()
    new = {
        name: decay * old[name] + (1 - decay) * value if name in averaged else value
        for name, value in student.state_dict().items()
    }
    teacher.load_state_dict(new)


@torch.no_grad()
def with_data_and_names(teacher, student, decay):
    theirs = dict(student.named_parameters())
    for name, ours in teacher.named_parameters():
        ours.data.sub_((1 - decay) * (ours.data - theirs[name].data))
    for name, value in student.named_buffers():
        teacher.get_buffer(name).fill_(0).add_(value)


def by_averaged_model(teacher, student, decay):
    average = torch.optim.swa_utils.AveragedModel(
        teacher, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay)
    )
    average.n_averaged.fill_(1)
    average.update_parameters(student)
    teacher.load_state_dict(average.module.state_dict())


# ---- small_batch_network


def _with(norm):
    def build(features, hidden, classes):
        first, last = nn.Linear(features, hidden), nn.Linear(hidden, classes)
        return nn.Sequential(first, norm(hidden), nn.ReLU(), last)

    return build


def norm_after_relu(features, hidden, classes):
    return nn.Sequential(
        nn.Linear(features, hidden), nn.ReLU(), nn.LayerNorm(hidden), nn.Linear(hidden, classes)
    )


class ByHand(nn.Module):
    def __init__(self, features, hidden, classes):
        super().__init__()
        self.first, self.last = nn.Linear(features, hidden), nn.Linear(hidden, classes)
        self.weight = nn.Parameter(torch.ones(hidden))

    def forward(self, x):
        x = self.first(x)
        x = (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True) * self.weight
        return self.last(x.relu())


def by_hand(features, hidden, classes):
    return ByHand(features, hidden, classes)


def no_linear_bias(features, hidden, classes):
    return nn.Sequential(
        nn.Linear(features, hidden, bias=False),
        nn.LayerNorm(hidden),
        nn.Tanh(),
        nn.Linear(hidden, classes),
    )


# ---- SensorNet


class Affine(nn.Module):
    norm_affine = True

    def __init__(self, features, classes):
        super().__init__()
        self.linear = nn.Linear(features, classes)
        self.norm = nn.BatchNorm1d(features, affine=self.norm_affine)

    def forward(self, x):
        return self.linear(self.norm(x))


class NotAffine(Affine):
    norm_affine = False


class Transposed(nn.Module):
    """InstanceNorm1d after all: one sample, a channel for each feature, a batch for a length."""

    def __init__(self, features, classes):
        super().__init__()
        self.norm = nn.InstanceNorm1d(features, track_running_stats=True)
        self.linear = nn.Linear(features, classes)

    def forward(self, x):
        return self.linear(self.norm(x.T[None])[0].T)


class WithALength(Affine):
    def forward(self, x):
        return self.linear(self.norm(x[:, :, None]).squeeze(2))


class Functional(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.linear = nn.Linear(features, classes)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("var", torch.ones(features))

    def forward(self, x):
        return self.linear(F.batch_norm(x, self.mean, self.var, training=self.training))


class Buffers(Functional):
    def forward(self, x):
        if self.training:
            mean, var = x.mean(0), x.var(0, unbiased=False)
            with torch.no_grad():
                self.mean.lerp_(mean, 0.1)
                self.var.lerp_(x.var(0), 0.1)
        else:
            mean, var = self.mean, self.var
        return self.linear((x - mean) / torch.sqrt(var + 1e-5))


# ---- split_and_standardize


def with_torch_std_mean(x, size):
    std, mean = torch.std_mean(x[:size], dim=0)
    return (x[:size] - mean) / std, (x[size:] - mean) / std


def together_then_split(x, size):
    z = (x - x[:size].mean(0)) / x[:size].std(0)
    return z[:size], z[size:]


def in_place_on_a_copy(x, size):
    z = x.clone()
    z -= z[:size].mean(0)
    z /= z[:size].std(0)
    return list(z.split([size, len(z) - size]))


def column_by_column(x, size):
    columns = [(column - column[:size].mean()) / column[:size].std() for column in x.T]
    z = torch.stack(columns, 1)
    return z[:size], z[size:]


def by_batch_norm(x, size):
    norm = nn.BatchNorm1d(x.shape[1], eps=0, momentum=1, affine=False)
    norm.running_mean, norm.running_var = x[:size].mean(0), x[:size].var(0)
    norm.eval()
    return norm(x[:size]), norm(x[size:])


def as_arrays(x, size):
    x = x.numpy()
    mean, std = x[:size].mean(0), x[:size].std(0, ddof=1)
    return (x[:size] - mean) / std, (x[size:] - mean) / std


RIGHT = {
    "fine_tune": [
        body_put_to_eval_after_train,
        only_batch_norms_put_to_eval,
        body_that_cannot_be_trained,
        features_computed_once,
        a_copy_of_the_body,
        losses_as_a_tensor,
    ],
    "predict": [
        with_a_list_of_modes,
        on_a_copy,
        row_by_row,
        with_a_decorator,
        with_a_functional_call,
    ],
    "update_teacher": [
        buffers_after_parameters,
        by_a_state_dict,
        by_a_new_state_dict,
        with_data_and_names,
        by_averaged_model,
    ],
    "small_batch_network": [
        _with(nn.LayerNorm),
        _with(nn.RMSNorm),
        _with(lambda size: nn.GroupNorm(1, size)),
        _with(lambda size: nn.GroupNorm(2, size)),
        norm_after_relu,
        no_linear_bias,
        by_hand,
    ],
    "SensorNet": [Affine, NotAffine, Transposed, WithALength, Functional, Buffers],
    "split_and_standardize": [
        with_torch_std_mean,
        together_then_split,
        in_place_on_a_copy,
        column_by_column,
        by_batch_norm,
        as_arrays,
    ],
}


@pytest.mark.parametrize(
    ("name", "answer"),
    [(name, answer) for name, answers in RIGHT.items() for answer in answers],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_full_points(name, answer):
    for seed in (2015, 0, 1, 2, 3):
        report = check(name, answer, seed=seed)
        assert report.passed, f"seed {seed}\n{report}"


# ---- other wrong mends, as people make them


def eval_before_train(body, head, batches, validation, epochs, lr):
    def modes():
        body.eval()
        nn.Sequential(body, head).train()

    return _train(body, head, batches, validation, epochs, lr, modes)


def body_frozen_once(body, head, batches, validation, epochs, lr):
    network = nn.Sequential(body, head).train()
    body.eval()
    optimizer = torch.optim.SGD(head.parameters(), lr=lr)
    losses = []
    for _ in range(epochs):
        for x, y in batches:
            loss = F.mse_loss(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        network.eval()
        losses.append(F.mse_loss(network(validation[0]), validation[1]).item())
        network.train()
    return losses


def mode_given_back_to_the_whole(network, x, batch_size):
    training = network.training
    network.eval()
    with torch.no_grad():
        scores = network(x)
    network.train(training)
    return scores


def all_of_the_student(teacher, student, decay):
    teacher.load_state_dict(student.state_dict())


def floats_averaged(teacher, student, decay):
    with torch.no_grad():
        for ours, theirs in zip(
            teacher.state_dict().values(), student.state_dict().values(), strict=True
        ):
            if ours.dtype.is_floating_point:
                ours.mul_(decay).add_(theirs, alpha=1 - decay)
            else:
                ours.copy_(theirs)


class AsOneChannel(nn.Module):
    """No warning any more, and rows as before."""

    def __init__(self, features, classes):
        super().__init__()
        self.norm, self.linear = nn.InstanceNorm1d(1), nn.Linear(features, classes)

    def forward(self, x):
        return self.linear(self.norm(x[:, None]).squeeze(1))


def each_by_its_own(x, size):
    return tuple((rows - rows.mean(0)) / rows.std(0) for rows in (x[:size], x[size:]))


@pytest.mark.parametrize(
    ("name", "answer", "mistake"),
    [
        ("fine_tune", eval_before_train, "frozen by requires_grad only"),
        ("fine_tune", body_frozen_once, "frozen for one epoch"),
        ("predict", mode_given_back_to_the_whole, "a frozen layer thawed"),
        ("update_teacher", all_of_the_student, "parameters copied"),
        ("update_teacher", floats_averaged, "buffers averaged"),
        ("small_batch_network", _with(lambda size: nn.InstanceNorm1d(size)), "no scale of its own"),
        ("SensorNet", AsOneChannel, "rows normalized"),
        ("split_and_standardize", each_by_its_own, "each set by its own"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_mend_that_is_none_is_named(name, answer, mistake):
    report = check(name, answer)
    assert report.mistakes == (mistake,), report
    assert not report.passed


# ---- odd answers, and what is left behind


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("fine_tune", lambda b, h, batches, v, e, lr: None, "not an array of real numbers"),
        ("predict", lambda n, x, b: "scores", "not an array of real numbers"),
        ("predict", lambda n, x: x, "the task's as predict(network, x, batch_size)"),
        ("update_teacher", lambda t, s, d: t.nothing, "AttributeError"),
        ("small_batch_network", lambda f, h, c: 3, "a torch.nn.Module is asked for, and this is a"),
        ("SensorNet", lambda f, c: nn.Linear(f, c), "This task asks for a class"),
        ("SensorNet", nn.Linear, "no attribute 'linear'"),
        ("split_and_standardize", lambda x, size: x, "two tensors are asked for: train, test"),
    ],
)
def test_odd_answers_get_a_word(name, answer, message):
    report = check(name, answer)
    assert message in " ".join(str(report).split())
    assert report.points <= 2


def test_a_changed_input_is_seen():
    def answer(x, size):
        x -= x[:size].mean(0)
        x /= x[:size].std(0)
        return x[:size], x[size:]

    report = check("split_and_standardize", answer)
    assert "Your function changed x" in str(report)
    assert report.points == 9


def test_the_learners_torch_is_left_as_it_was():
    torch.manual_seed(3)
    before = torch.get_rng_state(), torch.get_default_dtype(), torch.get_num_threads()
    check("small_batch_network", _with(nn.LayerNorm))
    check("SensorNet", Affine)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (torch.get_default_dtype(), torch.get_num_threads())


def test_reading_the_tasks_does_not_import_torch():
    """Nor does drawing the cases of those that are done in NumPy."""
    script = (
        "import sys; from normlab.exercises import all_exercises, draw_cases\n"
        "tasks = [task for task in all_exercises().values() if 'torch' in task.forbidden]\n"
        "assert len(tasks) > 20\n"
        "for task in tasks: draw_cases(task, 0)\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_torch_is_not_the_learners_time():
    """What puts an answer to use is imported before the clock starts."""
    for name in ("SensorNet", "predict"):
        use = find(name).use
        vars(use).pop("script", None)
        use.as_function(nn.Linear)
        assert vars(use)["script"].__module__ == f"normlab.tasks.scripts.{name}"


def test_where_the_time_is_up_between_two_calls_the_report_says_so(monkeypatch):
    monkeypatch.setattr(normlab.exercises.calling, "stop_after", lambda _: nullcontext())
    monkeypatch.setattr(normlab.exercises, "_SECONDS", 0.01)

    split = with_torch_std_mean

    def answer(x, size):
        time.sleep(0.02)
        return split(x, size)

    report = check("split_and_standardize", answer)
    assert report.points == 1
    assert "make it faster" in str(report)
