"""The doctor finds what is planted, nothing else, and leaves the model as it was."""

import inspect
import re
from pathlib import Path

import pytest
import torch
from planted import HEALTHY, PLANTED, Listed, resnet, trained, transformer
from snapshots import equal, snapshot
from torch import nn

import normlab
from normlab.checkup import CONDITIONS, Examination, Finding, checks, doctor
from normlab.checkup import conditions as known

LESSONS = Path(__file__).parents[2] / "source" / "lessons"

each_plant = pytest.mark.parametrize(
    ("make", "example", "condition"), PLANTED.values(), ids=PLANTED
)
each_healthy = pytest.mark.parametrize(("make", "example"), HEALTHY.values(), ids=HEALTHY)


@each_plant
def test_a_planted_condition_is_found_and_no_other(make, example, condition):
    assert doctor(make(), example).names() == [condition.name]


def test_every_condition_is_planted():
    of_an_optimizer = {known.DECAYED}
    assert {condition for _, _, condition in PLANTED.values()} | of_an_optimizer == set(CONDITIONS)


@each_plant
def test_without_its_check_a_plant_goes_unseen(make, example, condition, monkeypatch):
    """So each plant is found by the check that is meant to find it."""
    name = next(name for name, value in vars(known).items() if value is condition)
    others = [check for check in checks.CHECKS if f"known.{name}" not in inspect.getsource(check)]
    assert len(others) < len(checks.CHECKS)
    monkeypatch.setattr(checks, "CHECKS", others)
    assert condition.name not in doctor(make(), example).names()


@each_healthy
@pytest.mark.parametrize("mode", ["fresh", "trained", "evaluation"])
@pytest.mark.parametrize("shown", [True, False], ids=["with example", "without"])
def test_a_healthy_model_raises_no_alarm(make, example, mode, shown):
    model = make()
    if mode != "fresh":
        trained(model, *example)
    model.train(mode != "evaluation")
    report = doctor(model, example if shown else None)
    # Without an example the order of registration is all there is, and the report says so.
    guessed = [found for found in report.findings if "give an example" not in found.what]
    assert guessed == []
    assert report.healthy


def test_a_group_norm_with_a_group_for_each_head_is_a_norm_of_each_head():
    norms = nn.ModuleDict({"q_norm": nn.RMSNorm(8), "k_norm": nn.GroupNorm(2, 16)})
    assert doctor(norms).names() == []


def test_batch_norm_of_queries_and_values_is_a_lambda_layers():
    queries = nn.ModuleDict({"norm_q": nn.BatchNorm2d(8)})
    assert doctor(queries).names() == [known.QK_AXIS.name]
    queries["norm_v"] = nn.BatchNorm2d(4)
    assert doctor(queries).names() == []


def test_a_guess_says_that_it_is_one():
    (found,) = doctor(HEALTHY["ReLU in place"][0]()).findings
    assert found.condition is known.SWALLOWED_BIAS
    assert "give an example" in found.what


@pytest.mark.parametrize("mode", [True, False], ids=["training", "evaluation"])
def test_the_model_is_left_as_it_was(mode):
    images = torch.randn(4, 3, 20, 20)
    model = trained(resnet(), images).train(mode)
    model[1].bn1.eval()
    before = snapshot(model)
    doctor(model, images)
    assert equal(snapshot(model), before)


def test_an_example_that_fails_is_told_of_and_the_rest_is_still_looked_at():
    model = nn.Sequential(nn.BatchNorm1d(4, momentum=0.9), nn.Linear(5, 2))
    report = doctor(model, torch.randn(3, 4))
    assert "stopped with RuntimeError" in report.looked_at[1]
    assert report.names() == [known.EXAMPLE_FAILED.name, known.MOMENTUM_REVERSED.name]
    assert report.healthy is False


def test_a_model_that_cannot_be_copied_is_looked_at_without_the_example():
    model = nn.BatchNorm1d(4, momentum=0.9)
    model.passing = torch.ones(1, requires_grad=True) * 2
    report = doctor(model, torch.randn(3, 4))
    assert "cannot be copied" in report.looked_at[1]
    assert report.names() == [known.MOMENTUM_REVERSED.name, known.NOT_RUN.name]
    model.momentum = 0.1
    assert doctor(model, torch.randn(3, 4)).healthy is None
    assert doctor(model).healthy


def test_a_lazy_layer_is_passed_over_and_not_built():
    model = nn.Sequential(nn.LazyLinear(4, bias=False), nn.LazyBatchNorm1d())
    report = doctor(model, torch.randn(3, 5))
    assert report.names() == [known.NO_NUMBERS.name]
    assert "lazy" in str(report)
    assert report.healthy is None
    assert model[1].has_uninitialized_params()


def test_examples_of_several_inputs():
    source, target = torch.randn(2, 5, 16), torch.randn(2, 4, 16)
    for example in ((source, target), {"src": source, "tgt": target}):
        assert "Run once" in doctor(transformer(), example).looked_at[1]


def test_weight_decay_is_seen_in_the_optimizer():
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.LayerNorm(4))
    everything = torch.optim.AdamW(model.parameters(), weight_decay=0.1)
    assert doctor(model, optimizer=everything).names() == [known.DECAYED.name]
    decayed, spared = [p for p in model.parameters() if p.dim() > 1], list(model[1].parameters())
    groups = [{"params": decayed}, {"params": spared, "weight_decay": 0.0}]
    assert doctor(model, optimizer=torch.optim.AdamW(groups, weight_decay=0.1)).names() == []


def test_a_list_of_registered_layers_is_no_hidden_list():
    model = Listed()
    model.known = nn.ModuleList(model.blocks)
    assert doctor(model).names() == []


def test_what_a_text_and_a_table_say():
    model = nn.Sequential(*(nn.BatchNorm1d(4, momentum=0.99) for _ in range(5)))
    model[0].running_mean[1] = torch.nan
    report = doctor(model)
    text, table = str(report), report._repr_html_()
    assert text.splitlines()[:2] == [
        "Sequential: 5 norm layers, in training mode.",
        "Found: 1 wrong, 1 suspicious.",
    ]
    assert text.index("WRONG: NaN") < text.index("SUSPICIOUS: momentum reversed")
    for shown in (text, table):
        assert "0: running_mean is not finite in 1 of 4 places" in shown
        assert "and 2 more layers" in shown
        assert "lesson 13, “Three numbers to read twice”" in shown
    assert not report.healthy


def test_nothing_found_is_said_too():
    assert str(doctor(nn.Linear(2, 2))).endswith("Nothing suspicious found.")
    assert "Nothing suspicious" in doctor(nn.Linear(2, 2))._repr_html_()


def test_a_notebook_shows_a_panel_whose_notes_are_folded():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, momentum=0.99))
    panel = doctor(model)._repr_html_()
    assert panel.startswith('<section aria-label="the doctor')
    opened, folded = panel.split("<details")[1:]
    assert opened.startswith(" open")
    assert "suspicious: <strong>momentum reversed" in opened
    assert not folded.startswith(" open")
    assert "note: <strong>a bias" in folded
    assert "✗" not in panel
    assert "✓" in doctor(nn.Linear(2, 2))._repr_html_()


def test_the_text_is_no_wider_than_a_terminal():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, momentum=0.99), nn.BatchNorm1d(4))
    text = str(doctor(model.to("meta").to_empty(device="cpu"), torch.randn(1, 5)))
    assert max(map(len, text.splitlines())) <= 88


def test_names_in_a_report_are_escaped():
    found = Finding(known.HIDDEN, "<b>", "a & b")
    assert "&lt;b&gt;: a &amp; b" in Examination(["<i>"], [found])._repr_html_()


@pytest.mark.parametrize("thing", [nn.BatchNorm1d, "model", torch.ones(2)])
def test_what_is_no_model_is_refused(thing):
    with pytest.raises(TypeError, match="pass the model itself"):
        doctor(thing)


def test_the_package_offers_it():
    assert normlab.doctor is doctor


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_a_condition_is_a_whole_sentence_and_has_its_section(condition):
    assert condition.why.endswith(".")
    assert condition.cure.endswith(".")
    assert not re.search(r"\b(simply|just|obviously|of course)\b", condition.why + condition.cure)
    lesson = (LESSONS / f"{condition.lesson}.py").read_text(encoding="utf-8")
    assert f"# ## {condition.section}\n" in lesson
