"""A grader that reads no code: it does what a word in the notebook says.

For what happens around a grader: the pool, the gradebook, the reports, being killed. The points
follow from the bytes and the seed, so that two runs can be compared.
"""

import os
import time
import zlib
from pathlib import Path

from normlab.grading.class_ import pool
from normlab.grading.judge.grader import GraderFailed, tasks_of
from normlab.grading.judge.verdict import AspectVerdict, Status, TaskVerdict, Verdict
from normlab.grading.prison.isolation import NoIsolation

SECONDS = 0.01


class StandIn:
    def __init__(self, seed):
        self.seed = seed

    def close(self):
        pass

    def grade_content(self, content, exercise):
        time.sleep(SECONDS)
        if b"die always" in content:
            os._exit(3)
        if b"die once" in content:
            mark = Path(content.decode().split("die once in ")[1].split('"')[0])
            if not mark.exists():
                mark.touch()
                os._exit(3)
        if b"fail" in content:
            raise GraderFailed("no sandbox could be had")
        if b"no memory" in content:
            raise MemoryError
        if b"hang" in content:
            time.sleep(1000)
        status = next((s for s in Status if f"be {s.value}".encode() in content), Status.GRADED)
        message = "print(half of a pair \udc80)" if b"surrogate" in content else ""
        tasks = (self._task(task, content, status) for task in tasks_of(exercise))
        return Verdict(exercise, tuple(tasks), message, cpu_seconds=time.process_time())

    def _task(self, task, content, status):
        lot = zlib.crc32(content + task.name.encode()) + self.seed
        if b"be right" in content or status is not Status.GRADED:
            lot = 0
        mistake = task.mistakes[lot % len(task.mistakes)] if lot % 4 else None
        failing = mistake.aspect if mistake else None
        aspects = tuple(
            AspectVerdict(
                aspect.title,
                0 if aspect.key == failing else aspect.points,
                aspect.points,
                aspect.key != failing,
                f"Hint: {mistake.hint}" if aspect.key == failing else "",
            )
            for aspect in task.aspects
        )
        score = sum(aspect.points for aspect in aspects) if status is Status.GRADED else 0
        key = mistake.key if mistake else ""
        return TaskVerdict(task.name, score, task.max_points, status, key, aspects)


def open_grader(settings):
    if settings.timeout == 0.5 and settings.isolation is None:
        raise NoIsolation("Nothing here keeps anybody in place: allow it with --no-isolation.")
    return StandIn(settings.seed), "a stand-in\nthat isolates nothing"


def use():
    """Let this process, and those that it begins from here on, have the stand-in for a grader."""
    pool.open_grader = open_grader
