"""Lesson 14: a norm changed in a trained model, and the same change from the beginning."""

import copy
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from normlab.training.experiment import Experiment, Row, grid
from normlab.training.transformer import (
    Attention,
    HeadNorm,
    Step,
    TinyTransformer,
    help_texts,
    loss_on,
    trained,
)

DEPTH, LR, STEPS, WARM_UP = 6, 0.01, 400, 40
# How the model is built; the others differ in one thing, from the beginning.
TRAINED: dict[str, dict[str, Any]] = {
    "as it should be": {"qk": "each head"},
    "no last norm": {"qk": "each head", "last": False},
    "no QK-norm": {"qk": "none"},
    "QK-norm over all heads": {"qk": "all heads"},
}


def trained_model(how: str = "as it should be", seed: int = 0) -> TinyTransformer:
    """Train six blocks of pre-norm with QK-norm, or nearly."""
    model = TinyTransformer("pre", DEPTH, seed, **TRAINED[how])
    return trained(model, LR, STEPS, seed, WARM_UP)


# ---- the mistakes, each a change of a model in place


def norms(model: nn.Module) -> list[nn.RMSNorm | HeadNorm]:
    """List all norms of a model, those of queries and keys too."""
    return [part for part in model.modules() if isinstance(part, nn.RMSNorm | HeadNorm)]


def steps_of(model: nn.Module) -> list[tuple[Step, Step]]:
    """List for each block its step with the attention and its step with the MLP."""
    steps = [part for part in model.modules() if isinstance(part, Step)]
    return list(zip(steps[::2], steps[1::2], strict=True))


def no_last_norm(model: TinyTransformer) -> None:
    """Leave the last norm out."""
    model.last = nn.Identity()


def last_norm_twice(model: TinyTransformer) -> None:
    """Normalize twice at the end."""
    model.last = nn.Sequential(model.last, model.last)


def read_as_one_plus_w(model: nn.Module) -> None:
    """Multiply by 1 + w, where the file holds w."""
    for norm in norms(model):
        norm.weight.data += 1


def one_plus_w_read_as_w(model: nn.Module) -> None:
    """Multiply by what a file holds that means 1 + w: it holds w - 1."""
    for norm in norms(model):
        norm.weight.data -= 1


def weights_left_at_1(model: nn.Module) -> None:
    """Load no weight of any norm."""
    for norm in norms(model):
        norm.weight.data.fill_(1)


def at_its_word(model: nn.Module) -> None:
    """Put the MLP's norm, called `post_attention_layernorm`, behind the attention."""
    for attention, mlp in steps_of(model):
        attention.after, mlp.before = mlp.before, nn.Identity()


def residual_after_the_norm(model: TinyTransformer) -> None:
    """Let the stream itself be normalized, in place of what the branch reads."""
    for number, steps in enumerate(steps_of(model)):
        changed = (nn.Sequential(step.before, Step(*step.branches)) for step in steps)
        model.blocks[number] = nn.Sequential(*changed)


def q_and_k_exchanged(model: nn.Module) -> None:
    """Give the queries the keys' norm, and the keys the queries'."""
    for part in model.modules():
        if isinstance(part, Attention):
            part.q_norm, part.k_norm = part.k_norm, part.q_norm


def qk_over(model: nn.Module, axes: str) -> None:
    """Take the mean square of queries and keys over other axes."""
    for norm in model.modules():
        if isinstance(norm, HeadNorm):
            norm.over = axes


def eps_10_000_times(model: nn.Module) -> None:
    """Take 0.01 for the eps of 0.000001."""
    for norm in norms(model):
        norm.eps = 0.01


MISTAKES: dict[str, Callable[[TinyTransformer], None]] = {
    "no last norm": no_last_norm,
    "1 + w read as w": one_plus_w_read_as_w,
    "residual after the norm": residual_after_the_norm,
    "w read as 1 + w": read_as_one_plus_w,
    "post_attention_layernorm behind the attention": at_its_word,
    "all norm weights left at 1": weights_left_at_1,
    "QK-norm along the tokens": partial(qk_over, axes="tokens"),
    "last norm twice": last_norm_twice,
    "QK-norm over all heads": partial(qk_over, axes="all heads"),
    "eps 10,000 times as large": eps_10_000_times,
    "weights of q_norm and k_norm exchanged": q_and_k_exchanged,
}


@torch.no_grad()
def with_mistake(model: TinyTransformer, mistake: str) -> TinyTransformer:
    """Return a copy of a model with a mistake in it."""
    changed = copy.deepcopy(model)
    MISTAKES[mistake](changed)
    return changed


def measure(how: str, seed: int) -> Iterator[Row]:
    """Train; then change the right model in each way, and measure by how much its loss rises."""
    model, test = trained_model(how, seed), help_texts().test
    loss = loss_on(model, test)
    yield {"change": "nothing", "loss": loss, "rise": 0.0}
    if how == "as it should be":
        for mistake in MISTAKES:
            changed = loss_on(with_mistake(model, mistake), test)
            yield {"change": mistake, "loss": changed, "rise": changed - loss}


EXPERIMENT = Experiment(
    question="What does a mistake in a norm cost a trained model, and one trained with it?",
    measure=measure,
    settings=grid(measure, how=TRAINED, seed=range(5)),
    # First weights that are 1e-6 larger move this run's losses by 1e-6.
    repeatable={"how": "no QK-norm", "seed": 0},
    tolerances={"loss": 1e-3},
)
