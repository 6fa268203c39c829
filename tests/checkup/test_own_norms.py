"""Norms of a class of one's own, examined like torch's: what is planted in them is found."""

import copy

import pytest
import torch
from architectures import NETWORKS, bottlenecks, conv, efficient_net, generator, vgg
from own_norms import BatchNormOfABook, LayerNormByHand, OwnBatchNorm, OwnRMSNorm
from torch import nn

from normlab.checkup import Examination, Finding, doctor
from normlab.checkup import conditions as known

ROWS = torch.randn(8, 12)
IMAGES = torch.randn(4, 3, 16, 16)


def rows(**options):
    return nn.Sequential(nn.Linear(12, 16, bias=False), OwnBatchNorm(16, **options), nn.ReLU())


def images():
    return nn.Sequential(
        conv(3, 6), BatchNormOfABook(6), nn.ReLU(), conv(6, 6), BatchNormOfABook(6)
    )


def change(model, **values):
    """Set attributes of the norm, the second layer; tensors are filled."""
    for name, value in values.items():
        kept = getattr(model[1], name, None)
        if isinstance(kept, torch.Tensor):
            kept.data[...] = value
        else:
            setattr(model[1], name, value)
    return model


def frozen(model):
    model[:2].requires_grad_(False)
    return nn.Sequential(model, nn.Linear(16, 3))


def left_training(model):
    model.eval()[1].train()
    return model


def left_in_eval(model):
    model[1].eval()
    return model


NAN, INF = torch.nan, torch.inf
ONE_BELOW_0 = torch.tensor([-0.1, *[1.0] * 15])
PLANTED = {
    "NaN in its weight": (lambda: change(rows(), weight=NAN), known.NOT_FINITE),
    "infinity remembered": (lambda: change(rows(), running_var=INF), known.NOT_FINITE),
    "NaN remembered, in no buffer": (lambda: change(images(), moving_mean=NAN), known.NOT_FINITE),
    "negative variance": (lambda: change(rows(), running_var=ONE_BELOW_0), known.NEGATIVE_VARIANCE),
    "frozen, and moving": (lambda: frozen(rows()), known.LIVE_BUFFERS),
    "left in training": (
        lambda: left_training(change(rows(), running_mean=0.5)),
        known.TRAINS_IN_EVAL,
    ),
    "left in evaluation": (
        lambda: left_in_eval(change(rows(), running_mean=0.5)),
        known.EVAL_IN_TRAINING,
    ),
    "share of 0.99": (lambda: rows(momentum=0.99), known.MOMENTUM_REVERSED),
    "share of 0.9, in a book's": (lambda: change(images(), share=0.9), known.MOMENTUM_REVERSED),
    "share of 0": (lambda: rows(momentum=0.0), known.MOMENTUM_STILL),
    "large eps": (lambda: rows(eps=0.5), known.LARGE_EPS),
    "eps of 0": (lambda: rows(eps=0), known.NO_EPS),
    "half": (lambda: rows().half(), known.HALF_BUFFERS),
    "weight of nothing": (
        lambda: nn.Sequential(nn.Linear(12, 8), change([0, OwnRMSNorm(8)], weight=1e-5)[1]),
        known.DEAD_WEIGHT,
    ),
    "RMS of one number": (lambda: nn.Sequential(nn.Linear(12, 1), OwnRMSNorm(1)), known.ONE_NUMBER),
    "bias before it": (
        lambda: nn.Sequential(nn.Linear(12, 16), OwnBatchNorm(16)),
        known.SWALLOWED_BIAS,
    ),
    "dropout before it": (
        lambda: nn.Sequential(nn.Dropout(0.5), OwnBatchNorm(12)),
        known.DROPOUT_BEFORE,
    ),
}


@pytest.mark.parametrize(("make", "condition"), PLANTED.values(), ids=PLANTED)
def test_what_is_planted_in_a_norm_of_ones_own_is_found(make, condition):
    report = doctor(make())
    assert report.names() == [condition.name]
    assert "Recognized by what they do" in str(report)


@pytest.mark.parametrize(
    ("model", "example", "condition"),
    [
        (rows(), ROWS[:1], known.ONE_VALUE),
        (rows(), ROWS[:2], known.TWO_VALUES),
        (nn.Sequential(nn.Linear(12, 2), LayerNormByHand(2)), ROWS, known.TWO_VALUES),
        (nn.Sequential(nn.Linear(12, 8), OwnRMSNorm(8)), ROWS / 0, known.BAD_INPUT),
    ],
)
def test_what_it_is_fed_is_counted(model, example, condition):
    assert condition.name in doctor(model, example).names()


def test_weight_decay_reaches_it_too():
    model = nn.Sequential(nn.Linear(12, 8), OwnRMSNorm(8))
    careless = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    assert doctor(model, optimizer=careless).names() == [known.DECAYED.name]


# ---- learned, or drawn


def trained(model, example, steps=30):
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(steps):
        y = model(example + torch.randn_like(example)).flatten(1)
        loss = (y - torch.randn_like(y)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def twin_of(model, fresh):
    """Copy what parameters() lists, and forget the buffers: the mistake."""
    with torch.no_grad():
        for mine, other in zip(fresh.parameters(), model.parameters(), strict=True):
            mine.copy_(other)
    return fresh


WITH_MEMORY = ["VGG", "ResNet-50", "DenseNet", "EfficientNet", "DCGAN, generator", "the article's"]


@pytest.mark.parametrize("name", [*WITH_MEMORY, "PointNet", "lesson 3's"])
def test_parameters_without_buffers_are_seen(name):
    make, example, *_ = NETWORKS[name]
    torch.manual_seed(0)
    twin = twin_of(trained(make().train(), example), make())
    assert doctor(twin.eval()).names()[0] == known.UNMEASURED.name
    assert doctor(twin.eval(), example).healthy is False


STARTS = {
    "DCGAN": lambda weight, bias: weight.normal_(1, 0.02),
    "around 0": lambda weight, bias: weight.normal_(0, 0.02),
    "PyTorch before 1.0": lambda weight, bias: weight.uniform_(),
    "standard normal": lambda weight, bias: weight.normal_(),
    "RepVGG": lambda weight, bias: (weight.normal_(0.1, 0.1), bias.normal_(0, 0.1)),
    "everything": lambda weight, bias: (weight.normal_(0, 0.02), bias.normal_(0, 0.02)),
    "around 1, and biases": lambda weight, bias: (weight.normal_(1, 0.02), bias.normal_(0, 0.02)),
}


@pytest.mark.parametrize("draw", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("make", [vgg, efficient_net, bottlenecks, generator])
def test_a_random_start_is_not_taken_for_something_learned(make, draw):
    torch.manual_seed(0)
    model = make()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            draw(module.weight.data, module.bias.data)
    report = doctor(model.eval())
    assert known.NO_BATCH_YET.name in report.names()
    assert report.healthy is True


def test_training_leaves_traces_that_count():
    """Gradients, an optimizer's state, or one norm that has measured: then it was learned."""
    model = generator()
    assert doctor(model.eval()).names() == [known.NO_BATCH_YET.name]
    with_gradient = copy.deepcopy(model)
    with_gradient[0].weight.grad = torch.zeros_like(model[0].weight)
    measured = copy.deepcopy(model)
    measured[1].running_mean += 0.1
    for later in (with_gradient, measured):
        assert known.UNMEASURED.name in doctor(later).names()


# ---- what cannot be looked at


def test_a_norm_in_a_traced_graph_is_named():
    class Net(nn.Module):
        def forward(self, x):
            return nn.functional.layer_norm(x, (4,))

    report = doctor(torch.fx.symbolic_trace(Net()))
    assert report.names() == [known.BY_HAND.name]
    assert "layer_norm" in str(report)


def test_attributes_that_are_called_like_functions_are_no_norms_by_hand():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer_norm, self.std = nn.LayerNorm(4), 2.0
            self.inner = nn.ModuleDict({"batch_norm": nn.BatchNorm1d(4)})

        def forward(self, x):
            x = self.layer_norm(x) / self.std
            return self.inner.batch_norm(x) if hasattr(self.inner, "batch_norm") else x

    assert doctor(Net()).healthy is True


def test_a_frozen_helper_in_a_list_is_kept_there_on_purpose():
    class Net(nn.Linear):
        helper: list

    model = Net(4, 4)
    model.helper = [nn.Linear(4, 4).requires_grad_(False)]
    assert doctor(model).healthy is True
    model.helper[0].requires_grad_(True)
    assert doctor(model).names() == [known.HIDDEN_LAYERS.name]


def test_a_reference_back_to_the_model_hides_nothing():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    model[0].owner = [model]
    assert known.HIDDEN.name not in doctor(model).names()
    assert known.HIDDEN.name not in doctor(model[0]).names()


@pytest.mark.parametrize(
    ("condition", "healthy"),
    [
        (known.SWALLOWED_BIAS, True),
        (known.UNKNOWN_NORM, None),
        (known.MOMENTUM_REVERSED, False),
        (known.HIDDEN, False),
    ],
)
def test_healthy_is_true_false_or_none(condition, healthy):
    note = Finding(known.DECAYED, "a", "seen")
    report = Examination(["looked"], [note, Finding(condition, "b", "seen")])
    assert report.healthy is healthy
    assert ("not all was seen" in str(report)) == (healthy is None)
    assert Examination([], []).healthy is True
