"""What a teacher says once, in ``normlab grade``, and what is remembered of it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from normlab.cli.choices import OneOf
from normlab.cli.lab import course_toml
from normlab.files import read_utf8

if TYPE_CHECKING:
    from normlab.grading.class_.gradebook import Gradebook
    from normlab.grading.class_.submissions import HandedIn

_OPTIONS = (
    click.option(
        "--due",
        multiple=True,
        metavar="EXERCISE=TIME",
        help="When an exercise is due, 02=2026-12-01T23:59+01:00 (or =none); remembered; "
        "repeatable. Without a zone it is this machine's.",
    ),
    click.option(
        "--late",
        metavar="RULE",
        help='What being late costs: "10% a day, 3 days", after which nothing is left; or "none", '
        "where it is shown and costs nothing. Remembered.",
    ),
    click.option(
        "--attempt",
        # The names of normlab.grading.class_.points.ATTEMPTS.
        type=OneOf(("last", "best", "in-time")),
        help="Which of several hand-ins counts: the last, the best, or the last in time. "
        "Remembered; all stay in the gradebook.",
    ),
    click.option(
        "--class",
        "class_list",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The class list, a CSV of yours or your system's. Remembered.",
    ),
)


def rule_options(command: Callable) -> Callable:
    """Give a command the options of this module."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def keep_rules(
    gradebook: "Gradebook",
    due: tuple[str, ...],
    late: str | None,
    attempt: str | None,
    class_list: Path | None,
) -> None:
    """Write down what was said, once all of it is understood; course.toml is taken along."""
    from normlab.grading.class_.points import course_rules, due_dates, late_rule
    from normlab.grading.class_.roster import Roster

    said: dict[str, str | None] = {"late": late, "attempt": attempt}
    if due:
        said["due"] = due_dates(due, gradebook.rule("due"))
    if class_list:
        Roster(listed := read_utf8(class_list))
        said["class"] = listed
    if (course := course_toml(Path())) is not None:
        course_rules(course)
        said["course"] = course
    late_rule(late or "")
    for name, rule in said.items():
        if rule is not None:
            gradebook.keep_rule(name, rule)


def by_the_class_list(gradebook: "Gradebook", handed_in: "HandedIn") -> "HandedIn":
    """Call everyone as the class list does, in the gradebook, too; say who is not on it."""
    from dataclasses import replace

    from normlab.grading.class_.roster import Roster

    text = gradebook.rule("class")
    if not text:
        return handed_in
    roster = Roster(text)
    for student, name in roster.names_for(gradebook.everyone()).items():
        if student != name:
            gradebook.rename(student, name)
    handed_in = handed_in.renamed(roster.names_for(handed_in.students))
    strangers = [
        f"{student}: not told on the class list (`normlab students remove` takes a name out)."
        for student in handed_in.students
        if student not in roster.students
    ]
    gradebook.add_class(one for one in roster.students)
    return replace(handed_in, notes=(*strangers, *handed_in.notes))
