"""``normlab remarks``: a line of the teacher's, and whether the file of them is right."""

from pathlib import Path

import click

from normlab.cli.faults import gradebook_of


@click.command()
@click.argument("out", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("student", required=False)
@click.argument("exercise", required=False)
@click.argument("remark", required=False, default="")
@click.option("--why", default="", show_default=False, help="A sentence for the student.")
def remarks(out: Path, student: str | None, exercise: str | None, remark: str, why: str) -> None:
    """Add a remark to OUT/remarks.csv and check the file; without STUDENT, only check it.

    REMARK is points (7.5), "excused", "late -10 %" (whatever the rule takes), "until
    2026-12-03T23:59" (an extension), "with STUDENT" (one notebook of a group), or "" for an answer
    that changes no points. EXERCISE is 02, 02_batch_norm_forward, or a task.

    \b
    Examples:
      normlab remarks results
      normlab remarks results "Ann Lee" 02 excused --why "ill, with a note"
      normlab remarks results "Bob Ray" batch_norm_forward 7 --why "right, but for its name"
      normlab remarks results "Jan Ek" 02 "with Ida Ek"
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.grading.class_.points import Rules
    from normlab.grading.class_.remarks import FILE_NAME, parse, read
    from normlab.grading.class_.reports import counted

    if student and not exercise:
        raise click.UsageError("STUDENT needs an EXERCISE behind it.")
    with gradebook_of(out) as gradebook:
        most, everyone = Rules.kept_in(gradebook).most, gradebook.everyone()
        kept = read(out, everyone, most)
        if student and exercise:
            one = parse((student, exercise, remark, why), everyone, most)
            kept = read(out, everyone, most, (one.student, exercise, remark, why))
    for one in kept:
        click.echo(f"{one.row}: {one.student}, {one.exercise}: {one}")
    where = f"{counted(len(kept), 'remark')} in {out / FILE_NAME}."
    click.echo(f"{where} `normlab grade` shows them, `export` counts them.")
