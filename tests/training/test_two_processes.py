"""Real processes that exchange numbers, and what is said when something goes wrong."""

import multiprocessing
import time

import pytest
import torch
from torch import distributed

from normlab.training.two_processes import run_workers

# The functions are made inside the tests, as a notebook's are: nobody can import them.


@pytest.fixture
def left_over():
    """Return what lists the processes begun since; joblib keeps some that other tests began."""
    before = set(multiprocessing.active_children())
    return lambda: set(multiprocessing.active_children()) - before


def test_workers_hear_of_each_other_and_answer_in_order(left_over):
    factor = 10

    def work(part):
        total = torch.tensor([factor * part])
        distributed.all_reduce(total)
        return distributed.get_rank(), part, total.item()

    assert run_workers(work, [1.0, 2.0]) == [(0, 1.0, 30.0), (1, 2.0, 30.0)]
    assert not left_over()


def test_an_error_in_a_worker_is_told_with_its_traceback():
    def work(part):
        raise KeyError(f"no such channel: {part}")

    with pytest.raises(RuntimeError, match=r"Worker 0 failed(.|\n)*KeyError: 'no such channel: 7'"):
        run_workers(work, [7])


def test_workers_that_wait_for_ever_are_ended(left_over):
    def work(part):
        if part:
            time.sleep(1000)
        distributed.barrier()

    start = time.monotonic()
    with pytest.raises(TimeoutError, match="not finished after 5 seconds(.|\n)*same order"):
        run_workers(work, [0, 1], timeout=5)
    assert time.monotonic() - start < 60
    assert not left_over()


def test_a_worker_that_dies_is_reported():
    def work(part):
        import os

        os._exit(7)

    with pytest.raises(RuntimeError, match=r"Worker 0 died without an answer \(exit code 7\)"):
        run_workers(work, [0])


def test_a_torch_without_gloo_is_told(monkeypatch):
    monkeypatch.setattr(distributed, "is_gloo_available", lambda: False)
    with pytest.raises(RuntimeError, match="without gloo"):
        run_workers(abs, [1])
