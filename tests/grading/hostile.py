"""What hostile notebooks are made of: the tasks of lesson 2, right but for what they try."""

import textwrap
from dataclasses import replace

from normlab.grading import Limits
from normlab.grading.prison.limits import MEBIBYTE

EXERCISE = "02_batch_norm_forward"
VECTORS = """
import numpy as np
def batch_norm_forward(x, weight, bias, eps):
    mean, var = x.mean(axis=0), x.var(axis=0)
    return weight * (x - mean) / np.sqrt(var + eps) + bias
"""
LINEAR = """
def linear_then_batch_norm(x, linear_weight, linear_bias, weight, bias, eps):
    z = x @ linear_weight.T
    mean, var = z.mean(axis=0), z.var(axis=0)
    return weight * (z - mean) / np.sqrt(var + eps) + bias, mean + linear_bias, var
"""
LAST_TWO = """
def weighted_batch_norm(x, sample_weight, weight, bias, eps):
    share = (sample_weight / sample_weight.sum())[:, None]
    mean = (share * x).sum(axis=0)
    var = (share * (x - mean) ** 2).sum(axis=0)
    return weight * (x - mean) / np.sqrt(var + eps) + bias
def whiten_two(x, eps):
    d = x - x.mean(axis=0)
    cov = d.T @ d / len(x)
    values, vectors = np.linalg.eigh(cov + eps * np.eye(2))
    return d @ (vectors / np.sqrt(values)) @ vectors.T, cov
"""
NAMES = (
    "batch_norm_forward",
    "linear_then_batch_norm",
    "weighted_batch_norm",
    "whiten_two",
)
RIGHT = ("graded", 10)

LIMITS = Limits(
    seconds=60,
    cell_seconds=10,
    call_seconds=10,
    memory=128 * MEBIBYTE,
    file_size=4 * MEBIBYTE,
)
# Where cells and calls that never end are to be ended soon.
IMPATIENT = replace(LIMITS, cell_seconds=0.3, call_seconds=0.3)

LOOP_FOR_ALARMS = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
while True:
    pass
"""
# What reaches for all of the child's own code.
FORGE = """
import sys
def the_channel():
    frame = sys._getframe()
    while not hasattr(frame.f_locals.get('self'), 'channel'): frame = frame.f_back
    return frame.f_locals['self'].channel
def forge(change):
    channel = the_channel()
    send = type(channel).send
    if 'send' not in vars(channel):
        channel.send = lambda message: send(channel, change(message))
"""


def results(verdict):
    return [(str(task.status), task.score) for task in verdict.tasks]


def with_body(body):
    """Write the first task's function with this body before its right answer."""
    head = "def batch_norm_forward(x, weight, bias, eps):\n"
    return head + textwrap.indent(
        textwrap.dedent(body).strip("\n") + "\nreturn right(x, weight, bias, eps)", "    "
    )


def cells_with(body):
    right = VECTORS.replace("def batch_norm_forward(", "def right(")
    return right, with_body(body), LINEAR, LAST_TWO
