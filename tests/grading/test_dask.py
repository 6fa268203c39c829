"""The same work on a Dask cluster, a real one of two workers on this machine."""

import csv
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from normlab.cli.main import normlab
from normlab.grading import Status
from normlab.grading.class_ import ClassError, pool
from normlab.grading.class_.pool import Settings, grade_all
from normlab.grading.class_.submissions import find_submissions

distributed = pytest.importorskip("distributed")

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(seed=7, timeout=30)
QUIET = {
    "distributed.worker.memory.terminate": False,
    "distributed.comm.timeouts.connect": "5s",
    "distributed.logging.distributed": "critical",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    import dask

    folder = tmp_path_factory.mktemp("dask")
    with (
        dask.config.set(QUIET),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=str(folder),
        ) as cluster,
    ):
        yield cluster


@pytest.fixture
def client(cluster, use_stand_in):
    with distributed.Client(cluster) as client:
        client.run(use_stand_in)
        yield client


def use_the_real_grader():
    """Let this Dask worker have the grader that everybody has."""
    import importlib

    importlib.reload(pool)


def verdicts(graded):
    return {
        (one.submission.student, one.submission.exercise): (
            one.submission.digest,
            [replace(task, feedback="") for task in one.verdict.tasks],
            one.isolation,
        )
        for one in graded
    }


def test_a_cluster_gives_the_same_verdicts(tmp_path, a_class, client, stand_in):
    submissions = find_submissions(a_class(tmp_path, students=12)).submissions
    there = list(grade_all(submissions, SETTINGS, 1, client))
    here = list(grade_all(submissions, SETTINGS, 1))
    assert len(there) == len(submissions) == 20
    assert verdicts(there) == verdicts(here)


def test_both_workers_work(tmp_path, a_class, client):
    submissions = find_submissions(a_class(tmp_path, students=12)).submissions
    assert len(list(grade_all(submissions, SETTINGS, 1, client))) == 20
    assert set(client.run(graders).values()) == {1}


def graders():
    """Return how many threads of this worker have graded, and keep their grader."""
    import gc

    return sum(type(one).__name__ == "StandIn" for one in gc.get_objects())


def test_a_grader_that_fails_is_nobodys_verdict_there_either(
    tmp_path, a_class, client, write_notebook
):
    folder = a_class(tmp_path, students=2)
    write_notebook(folder / "eve" / "02_batch_norm_forward.ipynb", "fail")
    graded = list(grade_all(find_submissions(folder).submissions, SETTINGS, 1, client))
    failed = {one.submission.student: one.failure for one in graded if one.failure}
    assert failed == {"eve": "no sandbox could be had"}


def test_what_cannot_be_read_is_not_sent(tmp_path, a_class, client):
    folder = a_class(tmp_path, students=2)
    for name in ("eve", "mallory"):
        (folder / name).mkdir()
        (folder / name / "02_batch_norm_forward.ipynb").symlink_to("/etc/passwd")
    submissions = find_submissions(folder).submissions
    (folder / "student00" / "02_batch_norm_forward.ipynb").unlink()
    graded = list(grade_all(submissions, SETTINGS, 1, client))
    assert len(graded) == 5
    unreadable = [one for one in graded if one.verdict.tasks[0].status is Status.UNREADABLE]
    assert {one.submission.student for one in unreadable} == {"eve", "mallory", "student00"}


def test_a_worker_with_another_normlab_is_not_trusted(tmp_path, a_class, client):
    submissions = find_submissions(a_class(tmp_path, students=1)).submissions
    settings = replace(SETTINGS, version="0.0.1")
    with pytest.raises(ClassError, match="you have 0.0.1. Install the same"):
        list(grade_all(submissions, settings, 1, client))


def test_where_no_scheduler_is_it_says_so(tmp_path, a_class):
    import dask

    folder = a_class(tmp_path / "all", students=1)
    with dask.config.set({"distributed.comm.timeouts.connect": "100ms"}):
        result = CliRunner().invoke(
            normlab,
            ["grade", str(folder), "-o", str(tmp_path / "out"), "--dask", "tcp://127.0.0.1:1"],
        )
    assert result.exit_code == 1
    assert "No Dask scheduler answers at tcp://127.0.0.1:1" in result.output


def test_the_command_takes_the_address_and_the_real_grader_works_there(tmp_path, client, cluster):
    if not sys.platform.startswith("linux"):
        pytest.skip("submissions are isolated on Linux alone")
    client.run(use_the_real_grader)
    for folder in ("solutions", "exercises"):
        (tmp_path / "all" / folder).mkdir(parents=True)
        shutil.copy(ROOT / folder / "02_batch_norm_forward.ipynb", tmp_path / "all" / folder)
    options = ["-o", str(tmp_path / "out"), "--dask", cluster.scheduler_address]
    result = CliRunner().invoke(normlab, ["grade", str(tmp_path / "all"), *options])
    assert result.exit_code == 0, result.output
    assert "2 students, 2 notebooks: 2 graded now" in result.output
    with (tmp_path / "out" / "grades.csv").open() as file:
        scores = [(row["student"], row["score"]) for row in csv.DictReader(file)]
    assert scores == [*[("exercises", "0")] * 4, *[("solutions", "10")] * 4]
    assert "Isolation: " in (tmp_path / "out" / "index.html").read_text()


def test_what_a_worker_that_dies_had_is_graded_by_another(tmp_path, a_class, client):
    submissions = find_submissions(a_class(tmp_path, students=12)).submissions
    results = grade_all(submissions, SETTINGS, 1, client)
    graded = [next(results)]
    before = client.run(os.getpid)
    os.kill(min(before.values()), signal.SIGKILL)
    graded += results
    assert len({(one.submission.student, one.submission.exercise) for one in graded}) == 20
    client.wait_for_workers(2)
    assert set(client.run(os.getpid).values()) != set(before.values())
