"""``normlab grade``: hand-ins to a gradebook, an overview for the teacher, a page for everyone."""

import os
from collections import Counter
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from normlab.cli.faults import faults_in_a_sentence
from normlab.cli.rules import by_the_class_list, keep_rules, rule_options

if TYPE_CHECKING:
    from distributed import Client

    from normlab.grading.class_.gradebook import Gradebook
    from normlab.grading.class_.pool import Settings
    from normlab.grading.class_.submissions import HandedIn, Submission

_MOST_NOTES = 20  # on the screen; index.html has all
_SECONDS = 180.0  # the timeout; repeated from normlab.grading.Limits so that --help need not wait


@click.command()
@click.argument("submissions", type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder for the results.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="How many submissions at a time; as many as there are cores without it.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    help="Of the cases. Without it, one is drawn in the first run and kept in the gradebook.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How long one submission may take in all.",
)
@click.option("--only", multiple=True, metavar="STUDENT", help="Grade this student; repeatable.")
@click.option(
    "--exercise",
    "exercises",
    multiple=True,
    metavar="NAME",
    help="Grade this exercise, 02 or 02_batch_norm_forward; repeatable.",
)
@click.option(
    "--set",
    "set_exercises",
    metavar="NAMES",
    help="The exercises that are set, 02,03: they alone count, and are remembered. Without it, "
    "those that most have handed in; --set most goes back to that.",
)
@rule_options
@click.option(
    "--forget",
    multiple=True,
    metavar="STUDENT",
    help="Remove this student and all verdicts from the gradebook first; repeatable.",
)
@click.option("--regrade", is_flag=True, help="Grade again what is graded already.")
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Hand the work to the Dask cluster whose scheduler is there: tcp://HOST:8786.",
)
@click.option(
    "--no-isolation",
    is_flag=True,
    help="Run the students' code unprotected. Only where you trust every line of it.",
)
def grade(
    submissions: Path,
    out: Path,
    jobs: int | None,
    seed: int | None,
    timeout: float,
    only: tuple[str, ...],
    exercises: tuple[str, ...],
    set_exercises: str | None,
    forget: tuple[str, ...],
    regrade: bool,
    dask: str | None,
    no_isolation: bool,
    **rules: Any,  # noqa: ANN401 - those of rule_options
) -> None:
    """Grade the notebooks that students handed in.

    SUBMISSIONS is a folder with STUDENT/EXERCISE.ipynb or STUDENT__EXERCISE.ipynb, or a zip of
    one, or the zip that Moodle or Canvas gives. The results: index.html for you, feedback/ with a
    page for each student, grades.csv, and gradebook.db, from which `normlab export` feeds other
    systems.

    Stop it whenever you like: every verdict is written when it is known, and the same command goes
    on. After late hand-ins run it again; only what changed is graded.

    \b
    Examples:
      normlab grade submissions -o results
      normlab grade moodle.zip -o results --only "Ann Lee" --regrade
      normlab grade submissions -o results --set 02,03
      normlab grade submissions -o results --exercise 02 --jobs 8 --timeout 60
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.grading.class_.gradebook import FILE_NAME, Gradebook, only_run
    from normlab.grading.class_.points import Rules
    from normlab.grading.class_.pool import Settings
    from normlab.grading.class_.remarks import read
    from normlab.grading.class_.reports import forget_page, write_reports
    from normlab.grading.prison.isolation import Isolation

    with faults_in_a_sentence(out):
        handed_in = _handed_in(submissions, out, only, exercises)
        chosen = None if set_exercises is None else _named(set_exercises)
        out.mkdir(parents=True, exist_ok=True)
        with only_run(out), Gradebook(out / FILE_NAME) as gradebook, _cluster(dask) as client:
            for student in forget:
                forget_page(gradebook, out, student)
                gradebook.forget(student)
            if chosen is not None:
                gradebook.set_exercises(chosen)
            keep_rules(gradebook, **rules)
            handed_in = by_the_class_list(gradebook, handed_in)
            gradebook.note(
                handed_in.students,
                handed_in.submissions,
                str(submissions.resolve()),
                whole=not (only or exercises),
            )
            read(out, gradebook.everyone(), Rules.kept_in(gradebook).most)  # wrong ones stop it
            isolation = Isolation("none") if no_isolation else None
            settings = Settings(gradebook.choose_seed(seed), timeout, isolation)
            todo = list(handed_in.submissions)
            if gradebook.rule("attempt") not in ("", "last"):
                todo += handed_in.earlier
            again: list[str] = []
            if not regrade:
                needing = gradebook.needing(todo, settings.terms)
                todo, again = list(needing), _judged_again(needing)
            counts, failures = _grade(todo, settings, jobs, client, gradebook)
            notes = [*failures, *gradebook.remarks(), *handed_in.notes]
            write_reports(gradebook, out, notes)
            counted = _counted(gradebook)
    _tell([*again, *notes])
    click.echo(_summary(handed_in, len(todo), counts, len(failures)))
    click.echo(counted)
    click.echo(f"Open {click.style(out / 'index.html', bold=True)}")


def _judged_again(needing: "dict[Submission, str]") -> list[str]:
    """Say which verdicts are made anew, and why; of those that are new nothing."""
    reasons = Counter((one.exercise, why) for one, why in needing.items() if why != "new")
    return [
        f"{exercise}: {count} judged again: {why}." for (exercise, why), count in reasons.items()
    ]


def _tell(notes: list[str]) -> None:
    for note in notes[:_MOST_NOTES]:
        click.echo(f"{click.style('Note:', fg='yellow')} {note}", err=True)
    if len(notes) > _MOST_NOTES:
        click.echo(f"And {len(notes) - _MOST_NOTES} more notes: they are in index.html.", err=True)


def _named(names: str) -> list[str]:
    """Return the exercises of "02,03"; none for "most"."""
    from normlab.grading.class_.submissions import exercise_named

    return [] if names == "most" else [exercise_named(name.strip()) for name in names.split(",")]


def _counted(gradebook: "Gradebook") -> str:
    """Say which exercises count, why, and which do not."""
    how_many, chosen = gradebook.handed_in(), gradebook.exercises()
    why = "as they were set" if gradebook.are_exercises_kept() else "which most have handed in"
    lines = [f"Counted, {why}: {_listed(chosen, how_many)}." if chosen else "Nothing is set yet."]
    if others := [exercise for exercise in how_many if exercise not in chosen]:
        lines.append(
            f"Shown apart and not counted: {_listed(others, how_many)}. `--set` says otherwise."
        )
    return "\n".join(lines)


def _listed(exercises: list[str], how_many: dict[str, int]) -> str:
    return ", ".join(f"{exercise} ({how_many.get(exercise, 0)})" for exercise in exercises)


def _handed_in(
    where: Path, out: Path, students: tuple[str, ...], exercises: tuple[str, ...]
) -> "HandedIn":
    from normlab.grading.class_.submissions import find_submissions

    if out.resolve().is_relative_to(where.resolve()):
        raise click.ClickException(
            f"The results would lie among the submissions, in {where}. Choose another folder."
        )
    handed_in = find_submissions(where)
    if students:
        handed_in = handed_in.of_students(students)
    return handed_in.of_exercises(exercises) if exercises else handed_in


def _cluster(address: str | None) -> "AbstractContextManager[Client | None]":
    """Connect to a Dask cluster, where there is an address."""
    if address is None:
        return nullcontext()
    try:
        from distributed import Client
    except ImportError as error:
        raise click.ClickException(
            '--dask needs the package "distributed": pip install "normlab[dask]".'
        ) from error
    try:
        return Client(address, set_as_default=False)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"No Dask scheduler answers at {address}: {error}") from error


def _grade(
    todo: "list[Submission]",
    settings: "Settings",
    jobs: int | None,
    client: "Client | None",
    gradebook: "Gradebook",
) -> tuple[Counter[str], list[str]]:
    """Grade, and write down each verdict when it is known.

    Return the tasks by status, and what the grader failed on: nothing of that is written down.
    """
    from tqdm import tqdm

    from normlab.grading.class_.pool import grade_all

    counts: Counter[str] = Counter()
    failures: list[str] = []
    recorded = 0
    with (
        closing(grade_all(todo, settings, jobs or os.cpu_count() or 1, client)) as results,
        tqdm(total=len(todo), unit="notebook", disable=None if todo else True) as bar,
    ):
        try:
            for graded in results:
                bar.update()
                submission, verdict = graded.submission, graded.verdict
                if graded.failure:
                    failures.append(
                        f"{submission.student}, {submission.exercise}: the grader failed, not the "
                        f"student, and the next run tries again. ({graded.failure[:200]})"
                    )
                    continue
                recorded += 1  # first, as Ctrl-C while it is written comes when it is written
                gradebook.record(submission, verdict, settings.terms, graded.isolation)
                counts.update(task.status.value for task in verdict.tasks)
        except KeyboardInterrupt:
            bar.close()
            left = len(todo) - recorded  # a bar that is not shown does not count
            click.echo(f"{left} are not graded yet; the same command goes on from here.", err=True)
            raise
    return counts, failures


def _summary(handed_in: "HandedIn", todo: int, counts: Counter[str], failures: int) -> str:
    from normlab.grading.class_.reports import counted

    unchanged = max(0, len(handed_in.submissions) - todo)
    lines = [
        f"{counted(len(handed_in.students), 'student')}, "
        f"{counted(len(handed_in.submissions), 'notebook')}: "
        f"{todo - failures} graded now, {unchanged} unchanged."
    ]
    if failures:
        lines.append(f"On {failures} the grader failed: the same command tries them again.")
    if counts:
        tasks = ", ".join(f"{status} {count}" for status, count in counts.most_common())
        lines.append(f"Tasks by status: {tasks}.")
    return "\n".join(lines)
