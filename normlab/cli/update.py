"""``normlab update``: the newer course comes, and what one wrote stays."""

import itertools
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from normlab.cli import lab
from normlab.cli.keeping import beside, bring_all
from normlab.files import locked, write_whole

_NOTEBOOKS = ("exercises", "notebooks")
# What else a bundle of `normlab release` holds.
_REST = (
    *("LICENSE", "LICENSE-TEXT.md", "README.md", "constraints.txt", "environment.yml"),
    *("normlab", "pyproject.toml"),
)
_PATIENCE = 60.0  # seconds, for another update of this course to end


@click.command()
@click.argument("newer", required=False, type=click.Path(exists=True, path_type=Path))
def update(newer: Path | None) -> None:
    """Bring the course up to date; what you wrote stays.

    Run it in the folder of the course. Lessons and exercises in which you have written nothing
    become the new ones. The others stay as they are, and where there is a newer one, it goes
    beside yours, as 02_batch_norm_forward.new.ipynb.

    In a clone it does what `git pull` does. With a bundle that your teacher gave you, name the new
    one, the zip or its unpacked folder. Where you installed a newer wheel, `normlab lab` does it
    as well.

    \b
    Examples:
      normlab update                              in a clone
      normlab update ~/Downloads/course.zip       in the folder of an older bundle
    """  # noqa: D301 - \b is how click is told not to rewrap
    course = lab.find_course(lab.here())
    cloned = (course / ".git").exists()
    if newer is not None:
        if cloned:
            raise click.ClickException(
                f"{course} is a clone, which git keeps up to date: run `normlab update` alone."
            )
        said = from_bundle(newer, course)
    elif cloned:
        said = from_git(course)
    elif (course / "normlab" / "__init__.py").exists() or not lab._PACKED.is_dir():
        raise click.ClickException(
            "Say where the newer bundle is, as in `normlab update ~/Downloads/course.zip`."
        )
    else:
        lab.bring_packed(course)
        said = ""
    click.echo(f"{said}\n" if said else "", nl=False)
    click.echo("The course is up to date.")


# ---- a bundle


def from_bundle(newer: Path, course: Path) -> str:
    """Bring a newer bundle into the folder of an older one; say what is new."""
    (course / ".normlab").mkdir(exist_ok=True)
    with locked(course / ".normlab" / "update", _PATIENCE), _unpacked(newer, course) as bundle:
        if bundle.resolve() == course.resolve():
            raise click.ClickException(f"{newer} is the course itself: name the newer bundle.")
        said = bring_all(
            {
                f"{folder}/{path.name}": path.read_bytes()
                for folder in _NOTEBOOKS
                for path in sorted((bundle / folder).glob("*.ipynb"))
            },
            course,
        )
        before = _replace_the_rest(bundle, course)
    return "\n".join(
        [
            *([said] if said else []),
            f"The package is new, too; what was there before is in {before}.",
            "Now run `python -m pip install -c constraints.txt .` here, as when you began.",
        ]
    )


@contextmanager
def _unpacked(newer: Path, course: Path) -> Iterator[Path]:
    """Find the folder of a bundle; unpack a zip for the time being."""
    for left in course.glob(".update-*"):  # by an update that was killed
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=course, prefix=".update-") as scratch:
        top = newer
        if newer.is_file():
            try:
                zipfile.ZipFile(newer).extractall(scratch)
            except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
                raise click.ClickException(f"{newer} cannot be unpacked: {error}.") from error
            top = Path(scratch)
        for folder in (top, *sorted(path for path in top.iterdir() if path.is_dir())):
            if lab.is_course(folder) and (folder / "normlab" / "__init__.py").is_file():
                yield folder
                return
        raise click.ClickException(
            f"{newer} is no bundle of the course: there is no {lab.FIRST_LESSON} in it with the "
            "package beside it."
        )


def _replace_the_rest(bundle: Path, course: Path) -> Path:
    """Replace the package and what installs it; return the folder where the old ones are."""
    folders = (course / ".normlab" / f"before-{number}" for number in itertools.count(1))
    before = next(folder for folder in folders if not folder.exists())
    before.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in _REST:
        if not (bundle / name).exists():
            continue
        unfinished = course / f".{name}.new"
        _remove(unfinished)
        if (bundle / name).is_dir():
            shutil.copytree(bundle / name, unfinished, ignore=ignored)
        else:
            shutil.copyfile(bundle / name, unfinished)
        if os.path.lexists(course / name):
            (course / name).rename(before / name)
        unfinished.rename(course / name)
    return before


def _remove(path: Path) -> None:
    """Remove what an update left that was killed."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# ---- a clone


def from_git(course: Path) -> str:
    """Pull, with the learner's notebooks put aside meanwhile; say what is new.

    Where git cannot, all is as it was.
    """
    aside = course / ".normlab" / "aside"
    _put_back(aside, course)  # what an update left that was killed
    _git(course, "fetch", "--quiet")
    upstream = _git(course, "rev-parse", "--verify", "@{upstream}").decode().strip()
    try:
        _put_aside(aside, course)
        _merge(course, upstream)
    finally:
        _put_back(aside, course)
    listed = _git(course, "ls-tree", "-z", "--name-only", upstream, *(f"{f}/" for f in _NOTEBOOKS))
    names = [name for name in listed.decode().split("\0") if name.endswith(".ipynb")]
    return bring_all({name: _git(course, "show", f"{upstream}:./{name}") for name in names}, course)


def _put_aside(aside: Path, course: Path) -> None:
    """Copy the notebooks that differ from what git has, and give git its own back."""
    for name in _changed(course):
        if (course / name).is_file():
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(aside / name, (course / name).read_bytes())
        _git(course, "checkout", "--quiet", "HEAD", "--", name)


def _changed(course: Path) -> list[str]:
    """Return the notebooks that differ from what git has."""
    listed = _git(course, "diff", "-z", "--name-only", "--relative", "HEAD", "--", *_NOTEBOOKS)
    return [name for name in listed.decode().split("\0") if name]


def _put_back(aside: Path, course: Path) -> None:
    """Put the learner's notebooks back in their places."""
    changed = _changed(course)
    for path in sorted(aside.rglob("*.ipynb")):
        name = path.relative_to(aside)
        place = course / name
        if name.as_posix() in changed and place.exists():
            # Written in after an update was killed: both stay.
            place = next(other for other in beside(place, "before") if not other.exists())
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, path.read_bytes())
        path.unlink()


def _merge(course: Path, upstream: str) -> None:
    """Merge what was fetched. Of a notebook that both sides changed, the learner's stays whole."""
    with tempfile.TemporaryDirectory() as scratch:
        attributes = Path(scratch) / "attributes"
        attributes.write_text("*.ipynb merge=stays\n")
        try:
            _git(
                course,
                *("merge", "--quiet", "--no-edit", upstream),
                settings=(f"core.attributesFile={attributes}", "merge.stays.driver=true"),
            )
        except click.ClickException:
            with suppress(click.ClickException):
                _git(course, "merge", "--abort")
            raise


def _git(course: Path, *arguments: str, settings: Iterable[str] = ()) -> bytes:
    options = [word for setting in settings for word in ("-c", setting)]
    try:
        done = subprocess.run(
            ["git", "-C", str(course), *options, *arguments],
            capture_output=True,
            check=True,
            env=os.environ | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
        )
    except FileNotFoundError as error:
        raise click.ClickException("git is not installed here, and a clone needs it.") from error
    except subprocess.CalledProcessError as error:
        said = " ".join((error.stderr or error.stdout).decode(errors="replace").split())
        raise click.ClickException(
            f"git {arguments[0]} could not: {said or 'no word why'}"
        ) from error
    return done.stdout
