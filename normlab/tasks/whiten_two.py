"""Lesson 2: BatchNorm that also takes away what two channels have in common."""

import numpy as np

from normlab.tasks.case import Arguments, Case, Cases, Outputs
from normlab.tasks.drawing import NO_EPS, distinct_values


def whiten_two(x, eps):
    n = len(x)
    mean = x.mean(axis=0)  # (2,)
    centred = x - mean  # (N, 2)
    cov = centred.T @ centred / n  # (2, 2)
    values, vectors = np.linalg.eigh(cov + eps * np.eye(2))  # (2,), (2, 2)
    root = (vectors / np.sqrt(values)) @ vectors.T  # (2, 2)
    return centred @ root, cov


def cases(rng: np.random.Generator) -> Cases:
    """Draw batches of two channels that vary together; the last are far apart in size."""
    for samples in (4, 7):
        x = _together(rng, samples)
        eps = round(float(np.linalg.eigvalsh(np.cov(x.T, bias=True))[0]), 1)
        bare = Case(f"{x.shape}, no eps", ("cov",), {"x": x, "eps": NO_EPS})
        yield from (bare, bare.then(_by_own_cov, f"{bare.name}: y", "white"))
        yield bare.then(_by_own_cov, f"{x.shape}, eps {eps:g}", "eps", "cov", eps=eps)
    x = _together(rng, 5) * np.array([1.0, 20.0])
    yield Case("(5, 2), one channel wide", ("white",), {"x": x, "eps": NO_EPS}, tolerance=1e-8)


def _together(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Draw two channels about means of their own, which share a part of what they do."""
    shared, own = distinct_values(rng, (samples, 1)), distinct_values(rng, (samples, 2))
    sign = float(rng.choice([-1, 1]))
    return 2 * own + 3 * shared * np.array([1.0, sign]) + np.array([50.0, -30.0])


def _by_own_cov(own: Outputs, arguments: Arguments) -> Outputs:
    """Whiten by the learner's own covariance, where it is one."""
    cov, x = own["cov"], arguments["x"]
    known = cov.shape == (2, 2) and np.allclose(cov, cov.T)
    values, vectors = np.linalg.eigh(cov + arguments["eps"] * np.eye(2) if known else np.eye(2))
    if not known or values[0] <= 1e-6 * values[1]:
        return {}
    return {"y": (x - x.mean(0)) @ (vectors / np.sqrt(values)) @ vectors.T, "cov": cov}
