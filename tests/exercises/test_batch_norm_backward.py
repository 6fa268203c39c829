"""Lesson 4's tasks: right answers in many ways, the nodes of the graph, the example in the text."""

import math

import numpy as np
import pytest

from normlab import check
from normlab.exercises import draw_cases, find


def rows_of(image):
    return np.moveaxis(image, 1, -1).reshape(-1, image.shape[1])


# ---- dweight and dbias


def with_axes(dy, x, mean, var, x_hat, weight, eps):
    axes = tuple(axis for axis in range(dy.ndim) if axis != 1)
    return np.add.reduce(dy * x_hat, axes), np.add.reduce(dy, axes)


def with_einsum(dy, x, mean, var, x_hat, weight, eps):
    dy, x_hat = (v.reshape(*v.shape[:2], -1) for v in (dy, x_hat))
    return np.einsum("nck,nck->c", dy, x_hat), np.einsum("nck->c", dy)


def with_loops(dy, x, mean, var, x_hat, weight, eps):
    dweight, dbias = [0.0] * len(weight), [0.0] * len(weight)
    for index in np.ndindex(dy.shape):
        dweight[index[1]] += float(dy[index] * x_hat[index])
        dbias[index[1]] += float(dy[index])
    return [dweight, dbias]


def with_rows(dy, x, mean, var, x_hat, weight, eps):
    dy, x_hat = rows_of(dy), rows_of(x_hat)
    return np.diag(dy.T @ x_hat), np.ones(len(dy)) @ dy


def with_its_own_x_hat(dy, x, mean, var, x_hat, weight, eps):
    product = dy * (x - mean) / np.sqrt(var + eps)
    axes = (0, 2, 3)[: 1 if x.ndim == 2 else 3]
    return product.sum(axes), dy.sum(axes)


def in_place_on_a_copy(dy, x, mean, var, x_hat, weight, eps):
    product = dy.copy()
    product *= x_hat
    both = [np.moveaxis(values, 1, 0).reshape(len(weight), -1) for values in (product, dy)]
    return tuple(values.sum(1) for values in both)


def in_single_precision(dy, x, mean, var, x_hat, weight, eps):
    return with_axes(*(v.astype(np.float32) for v in (dy, x, mean, var, x_hat, weight)), eps)


PARAMETERS = (
    with_axes,
    with_einsum,
    with_loops,
    with_rows,
    with_its_own_x_hat,
    in_place_on_a_copy,
    in_single_precision,
)

# ---- dx, for (N, C)


def through_the_graph(dy, x, mean, var, x_hat, weight, eps):
    n, d, r = len(x), x - mean, 1 / np.sqrt(var + eps)
    dx_hat = dy * weight
    dv = -0.5 * (dx_hat * d).sum(0) * r**3
    dd = dx_hat * r + 2 * d * dv / n
    return dd - dd.sum(0) / n


def through_the_paper(dy, x, mean, var, x_hat, weight, eps):
    """Ioffe & Szegedy, 2015, section 3, term by term."""
    n, v = len(x), var + eps
    dx_hat = dy * weight
    dvar = np.sum(dx_hat * (x - mean) * -0.5 * v**-1.5, axis=0)
    dmean = np.sum(-dx_hat / np.sqrt(v), axis=0) + dvar * np.mean(-2 * (x - mean), axis=0)
    return dx_hat / np.sqrt(v) + dvar * 2 * (x - mean) / n + dmean / n


def through_the_std(dy, x, mean, var, x_hat, weight, eps):
    """With the standard deviation as a node, and the nodes in a dict, flat or not."""
    n, std = len(x), np.sqrt(var + eps)
    dx_hat = weight[None] * dy
    dr = np.einsum("nc,nc->c", dx_hat, x - mean)
    dstd = -dr / std**2
    dv = dstd / (2 * std)
    dd = dx_hat / std + dv * (2 / n) * (x - mean)
    dmu = -dd.sum(0)
    return dd + dmu / n, {"dx_hat": dx_hat, "dr": dr, "dv": dv, "dmu": dmu}


def with_a_jacobian(dy, x, mean, var, x_hat, weight, eps):
    n, dx = len(x), np.empty(x.shape)
    for c in range(x.shape[1]):
        z = x_hat[:, c]
        jacobian = np.eye(n) - (1 + np.outer(z, z)) / n
        dx[:, c] = weight[c] / math.sqrt(var[0, c] + eps) * jacobian @ dy[:, c]
    return dx


def with_sums(dy, x, mean, var, x_hat, weight, eps):
    """CS231n's short form."""
    n, dbias, dweight = len(x), dy.sum(0), (dy * x_hat).sum(0)
    return weight / (n * np.sqrt(var[0] + eps)) * (n * dy - dbias - x_hat * dweight)


def column_by_column(dy, x, mean, var, x_hat, weight, eps):
    columns = []
    for g, z, v in zip((dy * weight).T, x_hat.T, var.ravel(), strict=True):
        columns.append((g - g.mean() - z * np.dot(g, z) / g.size) * (v + eps) ** -0.5)
    return np.column_stack(columns)


def dx_in_place_on_a_copy(dy, x, mean, var, x_hat, weight, eps):
    dx = np.array(dy)
    dx *= weight
    along = np.mean(dx * x_hat, axis=0)
    dx -= dx.mean(axis=0)
    dx -= x_hat * along
    dx /= np.sqrt(var + eps)
    return dx


def dx_in_single_precision(dy, x, mean, var, x_hat, weight, eps):
    return with_sums(*(v.astype(np.float32) for v in (dy, x, mean, var, x_hat, weight)), eps)


MATRICES = (
    through_the_graph,
    through_the_paper,
    through_the_std,
    with_a_jacobian,
    with_sums,
    column_by_column,
    dx_in_place_on_a_copy,
    dx_in_single_precision,
)

# ---- dx, for images too


def for_images(matrices):
    """Make the answer of task 3 of one of task 2: the pixels become rows."""

    def answer(dy, x, mean, var, x_hat, weight, eps):
        n, c, *pixels = x.shape
        rows = [rows_of(array) for array in (dy, x, mean, var, x_hat)]
        dx = matrices(*rows, weight, eps)
        return np.moveaxis(dx.reshape(n, *pixels, c), -1, 1)

    answer.__name__ = f"images_{matrices.__name__}"
    return answer


def with_keepdims(dy, x, mean, var, x_hat, weight, eps):
    axes = (0,) if x.ndim == 2 else (0, 2, 3)
    g = dy * weight.reshape([1, -1] + [1] * (x.ndim - 2))
    g = g - g.mean(axes, keepdims=True) - x_hat * (g * x_hat).mean(axes, keepdims=True)
    return g / np.sqrt(var + eps)


def images_with_einsum(dy, x, mean, var, x_hat, weight, eps):
    n, r = x.size // x.shape[1], 1 / np.sqrt(var + eps)
    flat = (*x.shape[:2], -1)
    g = np.einsum("nck,c->nck", dy.reshape(flat), weight)
    m, p = np.einsum("nck->c", g) / n, np.einsum("nck,nck->c", g, x_hat.reshape(flat)) / n
    return r * (g.reshape(x.shape) - m.reshape(mean.shape) - x_hat * p.reshape(mean.shape))


IMAGES = (
    with_keepdims,
    images_with_einsum,
    *(for_images(f) for f in MATRICES if f is not through_the_std),
)

RIGHT = [
    (name, answer)
    for name, answers in {
        "batch_norm_backward_parameters": PARAMETERS,
        "batch_norm_backward_graph": MATRICES,
        "batch_norm_backward": IMAGES,
    }.items()
    for answer in answers
]


@pytest.mark.parametrize(("name", "answer"), RIGHT, ids=[a.__name__ for _, a in RIGHT])
def test_full_points(name, answer):
    for seed in range(8):
        report = check(name, answer, seed=seed)
        assert report.passed, f"seed {seed}\n{report}"


def test_one_who_does_not_do_images_loses_the_images_alone():
    for name, answer in (
        ("batch_norm_backward", with_sums),
        (
            "batch_norm_backward_parameters",
            lambda dy, x, mean, var, x_hat, weight, eps: (
                np.einsum("nc,nc->c", dy, x_hat),
                np.einsum("nc->c", dy),
            ),
        ),
    ):
        failed = [line.title for line in check(name, answer).lines if not line.passed]
        assert len(failed) == 1
        assert "images" in failed[0]


# ---- the nodes


def nodes_of(report):
    text = " ".join(str(report).split())
    return text.partition("Your nodes: ")[2]


def answer_with_nodes(change):
    """Return the answer of task 2 with a dict, after `change` has had its way with a node."""

    def answer(dy, x, mean, var, x_hat, weight, eps):
        n, d, r = len(x), x - mean, (var + eps) ** -0.5
        nodes = {}

        def keep(name, value):
            nodes[name] = change(name, value)
            return nodes[name]

        dx_hat = keep("dx_hat", dy * weight)
        dr = keep("dr", (dx_hat * d).sum(0, keepdims=True))
        dv = keep("dv", -0.5 * dr * r**3)
        dd = keep("dd", dx_hat * r + 2 * d * dv / n)
        dmu = keep("dmu", -dd.sum(0))
        return dd + dmu / n, nodes

    return answer


@pytest.mark.parametrize("wrong", ["dx_hat", "dr", "dv", "dd", "dmu"])
def test_the_first_node_that_differs_is_named(wrong):
    answer = answer_with_nodes(lambda name, value: 1.1 * value if name == wrong else value)
    for seed in range(5):
        report = check("batch_norm_backward_graph", answer, seed=seed)
        assert not report.passed
        said = nodes_of(report)
        assert said.startswith(f"the first that differs is {wrong}, on (")
        assert f"expected {wrong} =" in said
        assert f"got {wrong} =" in said
        before = ["dx_hat", "dr", "dv", "dd", "dmu"]
        before = before[: before.index(wrong)]
        assert (f"Right before it: {', '.join(before)}." in said) == bool(before)


def test_a_slip_after_the_nodes_is_said_to_be_there():
    right = answer_with_nodes(lambda _name, value: value)

    def answer(*arguments):
        dx, nodes = right(*arguments)
        return 1.1 * dx, nodes

    report = check("batch_norm_backward_graph", answer)
    assert nodes_of(report).startswith("dx_hat, dr, dv, dd, dmu: all right, also where the answer")


def test_unknown_and_unreadable_nodes_do_no_harm():
    right = answer_with_nodes(lambda _name, value: value)
    for extra in ({}, {"dz": 1.0}, {"dv": None}, {"dv": "0.4"}, {1: np.ones(3)}):
        report = check("batch_norm_backward_graph", lambda *a, e=extra: (right(*a)[0], e))
        assert report.passed
    report = check("batch_norm_backward_graph", lambda *a: (1.1 * right(*a)[0], {"dz": 1.0}))
    assert nodes_of(report).startswith("nothing in your dict is a node of this task. Their names")
    report = check("batch_norm_backward_graph", lambda *a: (1.1 * right(*a)[0], {}))
    assert "Your nodes" not in str(report)
    report = check("batch_norm_backward", lambda *a: (right(*a)[0], {}))
    assert "It returned a tuple of 2, where one array is asked for." in str(report)


def test_the_nodes_of_the_catalogue_are_those_of_autograd():
    torch = pytest.importorskip("torch")
    exercise = find("batch_norm_backward_graph")
    for case in draw_cases(exercise, 3):
        given = {k: torch.as_tensor(v) for k, v in case.arguments.items() if k != "eps"}
        x = given["x"].clone().requires_grad_()
        graph = {"dmu": x.mean(0, keepdim=True)}
        graph["dd"] = x - graph["dmu"]
        graph["dv"] = (graph["dd"] ** 2).mean(0, keepdim=True)
        graph["dr"] = (graph["dv"] + case.arguments["eps"]) ** -0.5
        graph["dx_hat"] = graph["dd"] * graph["dr"]
        for node in graph.values():
            node.retain_grad()
        (given["weight"] * graph["dx_hat"]).backward(given["dy"])
        nodes = exercise.node_values(case.arguments)
        assert list(nodes) == ["dx_hat", "dr", "dv", "dd", "dmu"]
        largest = max(abs(value).max() for value in nodes.values())
        for name, value in nodes.items():
            theirs = graph[name].grad.numpy()  # 0 comes out as 1e-16 or so
            np.testing.assert_allclose(value, theirs, rtol=1e-9, atol=1e-14 * largest)


def test_a_node_that_is_0_but_for_rounding_is_right():
    """On the road that goes straight, dmu is 0: dividing dx by 2 leaves all nodes right."""
    right = answer_with_nodes(lambda name, value: value + 1e-14 if name == "dmu" else value)

    def answer(*arguments):
        dx, nodes = right(*arguments)
        return dx / 2, nodes

    for seed in range(5):
        report = check("batch_norm_backward_graph", answer, seed=seed)
        assert "all right, also where the answer is wrong" in nodes_of(report)


# ---- the text


def test_the_example_in_the_text():
    x = np.array([[1.0, 10, 6], [9, 10, -2]])
    mean, var, eps = np.array([[5.0, 10, 2]]), np.array([[16.0, 0, 16]]), 9
    x_hat = np.array([[-0.8, 0, 0.8], [0.8, 0, -0.8]])
    np.testing.assert_allclose((x - x.mean(0)) / np.sqrt(x.var(0) + eps), x_hat)
    dy, weight = np.array([[3.0, 2, 0], [-2, -1, 5]]), np.array([5.0, 2, 10])
    cache = (dy, x, mean, var, x_hat, weight, eps)
    np.testing.assert_allclose(with_loops(*cache), [[-4, 0, -4], [1, 1, 5]], atol=1e-12)
    dx, nodes = answer_with_nodes(lambda _name, value: value)(*cache)
    third = 1 / 3
    expected = {
        "dx_hat": [[15, 4, 0], [-10, -2, 50]],
        "dr": [[-100, 0, -200]],
        "dv": [[0.4, 0, 0.8]],
        "dd": [[1.4, 4 * third, 3.2], [-0.4, -2 * third, 6.8]],
        "dmu": [-1, -2 * third, -10],
    }
    for name, value in expected.items():
        np.testing.assert_allclose(nodes[name], value, atol=1e-12)
    np.testing.assert_allclose(dx, [[0.9, 1, -1.8], [-0.9, -1, 1.8]])
