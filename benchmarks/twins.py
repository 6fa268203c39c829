"""How long the NumPy twins take beside torch: forward plus backward, float32, one thread each.

Run it with ``python benchmarks/twins.py``. Each figure is the best of several interleaved
runs, so that what else the machine does touches both sides alike; read the ratios, not the
milliseconds. A busy neighbour still costs the NumPy side more, which waits for the memory.

Where the time goes: a layer's step is some fifteen NumPy operations on arrays of the input's
size, and each is a pass over memory; torch fuses them into about four. What was worth its lines
is in `functional`: sums by einsum, slabs that fit the cache, arrays written once. Merging the
operations further would hide the formulas.
"""
# ruff: noqa: E402 - the number of threads has to be said before NumPy and torch are imported

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import time
from collections.abc import Callable

import numpy as np
import torch
from tqdm import tqdm

from normlab import nn

CASES = [
    ("BatchNorm2d", (64,), (32, 64, 28, 28)),
    ("GroupNorm", (8, 64), (32, 64, 28, 28)),
    ("LayerNorm", (512,), (64, 128, 512)),
    ("RMSNorm", (512,), (64, 128, 512)),
    ("BatchNorm1d", (256,), (64, 256)),
]
ROUNDS = 50


def numpy_step(name: str, arguments: tuple, x: np.ndarray, dy: np.ndarray) -> Callable:
    layer = getattr(nn, name)(*arguments)

    def step() -> None:
        layer.zero_grad()
        layer(x)
        layer.backward(dy)

    return step


def torch_step(name: str, arguments: tuple, x: np.ndarray, dy: np.ndarray) -> Callable:
    layer = getattr(torch.nn, name)(*arguments)
    x_torch = torch.tensor(x, requires_grad=True)
    dy_torch = torch.tensor(dy)

    def step() -> None:
        layer.zero_grad()
        x_torch.grad = None
        layer(x_torch).backward(dy_torch)

    return step


def seconds(step: Callable) -> float:
    """Time one step, or the mean of enough of them to be above the clock's noise.

    In processor time: both sides run on one thread, and what another program is given in between
    is nobody's fault.
    """
    start = time.process_time()
    step()
    repeats = max(1, int(0.005 / (time.process_time() - start + 1e-9)))
    start = time.process_time()
    for _ in range(min(repeats, 200)):
        step()
    return (time.process_time() - start) / min(repeats, 200)


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    rows = []
    for name, arguments, shape in tqdm(CASES, desc="layers", disable=None):
        x, dy = rng.normal(size=(2, *shape)).astype(np.float32)
        steps = [make(name, arguments, x, dy) for make in (numpy_step, torch_step)]
        best = np.min([[seconds(step) for step in steps] for _ in range(ROUNDS)], axis=0)
        rows.append((f"{name}{arguments}", shape, *(1e3 * best), best[0] / best[1]))
    print(f"NumPy {np.__version__}, torch {torch.__version__}, best of {ROUNDS}, one thread")
    print(f"{'layer':20} {'input':18} {'NumPy, ms':>10} {'torch, ms':>10} {'ratio':>6}")
    for layer, shape, ours, theirs, ratio in rows:
        print(f"{layer:20} {shape!s:18} {ours:10.3f} {theirs:10.3f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
