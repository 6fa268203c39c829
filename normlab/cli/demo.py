"""``normlab demo-class``: a made class, to try the grading with."""

from pathlib import Path

import click

from normlab.cli.lab import find_course


@click.command("demo-class")
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--students", type=click.IntRange(10, 200), default=12, help="How many.")
def demo_class(out: Path, students: int) -> None:
    """Write what a made class handed in to the new folder OUT, to try the grading with.

    One student is late, one handed in nothing, one a file cut off, two the same; two have one name.

    \b
    Examples:
      normlab demo-class toy
      normlab demo-class toy --students 120
    """  # noqa: D301 - \b is how click is told not to rewrap
    from normlab.grading.class_.demo import make_class

    if out.exists():
        raise click.ClickException(f"{out} is there already. Choose another name.")
    make_class(find_course(Path.cwd()) / "exercises", out, students)
    click.echo(f"A class of {students} is in {out}. Try:")
    click.echo(f"  normlab grade {out}/handed_in -o {out}/results --class {out}/worksheet.csv")
    click.echo(f"  normlab export {out}/results --to moodle --template {out}/worksheet.csv")
