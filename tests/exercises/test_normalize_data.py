"""Lesson 1: right answers in many ways, and one slip costs its own part.

That each mistake is named is tested for all exercises in test_mistakes.py, each pair in
test_pairs.py.
"""

import math
import statistics

import numpy as np
import pytest
import torch

from normlab import check
from normlab.exercises import draw_cases, find

AXES = (0, 2, 3)

# ---- task 1


def statistics_as_written(images):
    x = images / 255
    return x.mean(AXES), x.std(AXES)


def statistics_scaled_last(images):
    return images.mean(AXES) / 255, images.std(AXES) / 255


def statistics_with_lists(images):
    channels = [[int(byte) / 255 for byte in images[:, c].flat] for c in range(images.shape[1])]
    return [statistics.fmean(c) for c in channels], [statistics.pstdev(c) for c in channels]


def statistics_with_einsum(images):
    x = images.astype(float) / 255
    n = x.size / x.shape[1]
    mean = np.einsum("nchw->c", x) / n
    return mean, np.sqrt(np.einsum("nchw,nchw->c", x, x) / n - mean**2 + 1e-17)


def statistics_of_rows(images):
    rows = np.moveaxis(images, 1, 0).reshape(images.shape[1], -1) / 255.0
    mean = rows.mean(axis=1)
    return mean, np.linalg.norm(rows - mean[:, None], axis=1) / math.sqrt(rows.shape[1])


def statistics_by_counting(images):
    values = np.arange(256) / 255
    means, stds = [], []
    for c in range(images.shape[1]):
        share = np.bincount(images[:, c].ravel(), minlength=256) / images[:, c].size
        means.append(share @ values)
        stds.append(np.sqrt(share @ (values - means[-1]) ** 2))
    return np.array(means), np.array(stds)


def statistics_in_single_precision(images):
    x = images.astype(np.float32) / 255
    return x.mean(AXES), x.std(AXES)


# ---- task 2


def sets_as_written(train, test):
    mean, std = train.mean(AXES, keepdims=True), train.std(AXES, keepdims=True)
    std = np.where(std == 0, 1, std)
    return (train - mean) / std, (test - mean) / std


def sets_with_loops(train, test):
    new_train, new_test = np.empty_like(train), np.empty_like(test)
    for c in range(train.shape[1]):
        mean, std = statistics.fmean(train[:, c].flat), statistics.pstdev(train[:, c].flat)
        new_train[:, c] = (train[:, c] - mean) / (std or 1)
        new_test[:, c] = (test[:, c] - mean) / (std or 1)
    return new_train, new_test


def sets_in_place_on_copies(train, test):
    mean, std = train.mean(AXES), train.std(AXES)
    std[std == 0] = 1
    results = [train.copy(), test.copy()]
    for images in results:
        images -= mean[:, None, None]
        images /= std[:, None, None]
    return results


def sets_channels_last(train, test):
    train, test = np.moveaxis(train, 1, -1), np.moveaxis(test, 1, -1)
    mean = train.reshape(-1, train.shape[-1]).mean(0)
    std = train.reshape(-1, train.shape[-1]).std(0)
    scale = np.divide(1, std, out=np.ones_like(std), where=std > 0)
    return tuple(np.moveaxis((images - mean) * scale, -1, 1) for images in (train, test))


def sets_as_scale_and_shift(train, test):
    std = np.sqrt(np.einsum("nchw->c", (train - train.mean(AXES, keepdims=True)) ** 2))
    std /= math.sqrt(train[:, 0].size)
    scale = 1 / (std + (std == 0))
    shift = -train.mean(AXES) * scale
    affine = np.einsum("nchw,c->nchw", train, scale), np.einsum("nchw,c->nchw", test, scale)
    return tuple(images + shift.reshape(1, -1, 1, 1) for images in affine)


def sets_in_single_precision(train, test):
    return sets_as_written(train.astype(np.float32), test.astype(np.float32))


# ---- task 3


def vectors_as_written(x, dim, eps):
    return x / np.maximum(np.sqrt((x**2).sum(axis=dim, keepdims=True)), eps)


def vectors_with_linalg(x, dim, eps):
    return x / np.linalg.norm(x, axis=dim, keepdims=True).clip(min=eps)


def vectors_with_loops(x, dim, eps):
    rows = np.moveaxis(x, dim, -1)
    y = np.empty_like(rows)
    for place in np.ndindex(rows.shape[:-1]):
        y[place] = rows[place] / max(math.hypot(*rows[place]), eps)
    return np.moveaxis(y, -1, dim)


def vectors_along_axis(x, dim, eps):
    return np.apply_along_axis(lambda v: v / max(math.sqrt(v @ v), eps), dim, x)


def vectors_with_einsum(x, dim, eps):
    rows = np.moveaxis(x, dim, -1)
    length = np.einsum("...d,...d->...", rows, rows) ** 0.5
    return np.moveaxis(rows / np.where(length < eps, eps, length)[..., None], -1, dim)


def vectors_in_place_on_a_copy(x, dim, eps):
    y = x.copy()
    y /= np.fmax(np.expand_dims(np.sqrt(np.square(x).sum(dim)), dim), eps)
    return y


def vectors_in_single_precision(x, dim, eps):
    return vectors_as_written(x.astype(np.float32), dim, np.float32(eps))


RIGHT = {
    "channel_statistics": (
        statistics_as_written,
        statistics_scaled_last,
        statistics_with_lists,
        statistics_with_einsum,
        statistics_of_rows,
        statistics_by_counting,
        statistics_in_single_precision,
    ),
    "standardize": (
        sets_as_written,
        sets_with_loops,
        sets_in_place_on_copies,
        sets_channels_last,
        sets_as_scale_and_shift,
        sets_in_single_precision,
    ),
    "normalize_vectors": (
        vectors_as_written,
        vectors_with_linalg,
        vectors_with_loops,
        vectors_along_axis,
        vectors_with_einsum,
        vectors_in_place_on_a_copy,
        vectors_in_single_precision,
    ),
}


@pytest.mark.parametrize(
    ("name", "answer"), [(name, answer) for name, answers in RIGHT.items() for answer in answers]
)
def test_right_answers_get_full_points(name, answer):
    for seed in range(5):
        report = check(name, answer, seed=seed)
        assert report.passed, report


@pytest.mark.parametrize(
    ("name", "key", "points"),
    [
        ("channel_statistics", "not divided by 255", 8),
        ("channel_statistics", "std not divided by 255", 6),
        ("channel_statistics", "variance for std", 6),
        ("channel_statistics", "squares overflow", 6),
        ("channel_statistics", "one mean for everything", 1),
        ("standardize", "test set by its own statistics", 4),
        ("standardize", "mean and std read as targets", 6),
        ("standardize", "variance for std", 7),
        ("standardize", "divided by 0", 9),
        ("normalize_vectors", "root forgotten", 6),
        ("normalize_vectors", "always dim 1", 8),
        ("normalize_vectors", "eps added to the length", 7),
    ],
)
def test_a_slip_costs_its_own_part(name, key, points, answer_with, examine):
    exercise = find(name)
    (mistake,) = (mistake for mistake in exercise.mistakes if mistake.key == key)
    _, _, report = examine(exercise, answer_with(exercise, (mistake,)))
    assert report.points == points, report


def test_mistakes_as_people_write_them_are_named():
    """Not the catalogue's own variants, but code of another hand."""

    def bytes_squared(images):
        mean = images.mean(AXES)
        with np.errstate(invalid="ignore"):
            return mean / 255, np.sqrt((images**2).mean(AXES) - mean**2) / 255

    def both_sets_by_their_own(train, test):
        return sets_as_written(train, train)[0], sets_as_written(test, test)[0]

    def test_shifts_the_constants(train, test):
        together = np.concatenate([train, test])
        return (
            sets_as_written(together, train)[1],
            sets_as_written(together, test)[1],
        )

    def without_keepdims(x, dim, eps):
        return x / np.maximum(np.linalg.norm(x, axis=dim), eps)

    def added_eps(x, dim, eps):
        return x / (np.linalg.norm(x, axis=dim, keepdims=True) + eps)

    for name, answer, key in [
        ("channel_statistics", bytes_squared, "squares overflow"),
        ("standardize", both_sets_by_their_own, "test set by its own statistics"),
        ("standardize", test_shifts_the_constants, "statistics of both sets"),
        ("normalize_vectors", without_keepdims, "axis not kept"),
        ("normalize_vectors", added_eps, "eps added to the length"),
    ]:
        assert check(name, answer).mistakes == (key,)


def test_the_vectors_are_those_of_torch():
    exercise = find("normalize_vectors")
    for case in draw_cases(exercise, 0):
        x, dim, eps = case.arguments.values()
        theirs = torch.nn.functional.normalize(torch.from_numpy(x), dim=dim, eps=eps).numpy()
        np.testing.assert_allclose(
            exercise.reference(x=x, dim=dim, eps=eps)["y"], theirs, atol=1e-14
        )
