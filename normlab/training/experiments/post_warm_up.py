"""Lesson 14: whether a warm-up rescues post-norm."""

from normlab.training.experiment import Experiment, Row
from normlab.training.experiments.norm_places import final_losses
from normlab.training.transformer import TinyTransformer, trained

WAYS = {"pre": ("pre", 0), "post": ("post", 0), "post, warm-up": ("post", 200)}
# With pre at the larger rate alone.
RUNS = ((0.001, "post"), (0.001, "post, warm-up"), *((0.003, way) for way in WAYS))
DEPTH, STEPS = 6, 400


def measure(way: str, lr: float, seed: int) -> list[Row]:
    """Train six blocks for 400 steps, half of them warm-up or none."""
    place, warm_up = WAYS[way]
    model = TinyTransformer(place, DEPTH, seed)
    return [final_losses(trained(model, lr, STEPS, seed, warm_up))]


EXPERIMENT = Experiment(
    question="Does a warm-up of half the steps let post-norm learn at larger rates?",
    measure=measure,
    settings=[{"way": way, "lr": lr, "seed": seed} for lr, way in RUNS for seed in range(5)],
    # First weights that are 1e-6 larger move this run's losses by 1e-6.
    repeatable={"way": "pre", "lr": 0.003, "seed": 0},
    tolerances={"held_out_loss": 1e-3, "test_loss": 1e-3},
)
