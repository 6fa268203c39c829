"""``normlab lab``: the course in JupyterLab, and nothing else."""

import os
import secrets
import signal
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import click

from normlab.cli.keeping import bring_all
from normlab.files import read_utf8, write_whole
from normlab.system import has_a_screen

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

FIRST_LESSON = "notebooks/00_start_here.ipynb"

_CONFIGURATION = Path(__file__).parent / "jupyter"
# The folder that holds notebooks/ beside the package, where normlab is installed with --editable.
_CHECKOUT = Path(__file__).parents[2]
# The folder that holds notebooks/ inside the package, where normlab was installed from a wheel:
# pyproject.toml puts it there.
_PACKED = Path(__file__).parents[1] / "course"

# Seconds that a file which is being saved has to reach the disk, after Ctrl-C.
_PATIENCE = 1


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8888,
    help="The port to serve on; where it is taken, the next free one. 0 means any free port.",
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@click.argument(
    "jupyter_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- OPTIONS OF JUPYTERLAB]"
)
def lab(port: int, no_browser: bool, jupyter_options: tuple[str, ...]) -> None:
    """Open the course in JupyterLab.

    The course is a folder that holds notebooks/00_start_here.ipynb: the one you are in, or one
    above it. Where there is none, the course is copied into the folder you are in. (Where normlab
    was installed with --editable, its clone opens instead.) What you wrote is never overwritten: a
    later start adds what is missing, and after an upgrade puts the newer lessons in their places,
    or beside those in which you have written.

    What follows -- goes to JupyterLab as it is.

    \b
    Examples:
      normlab lab
      normlab lab --port 9000 --no-browser
      normlab lab -- --ip=0.0.0.0                in a container
    """  # noqa: D301 - \b is how click is told not to rewrap
    course = bring_course(here())
    prepare_environment()
    open_browser = not no_browser and has_a_window()
    server = start_jupyterlab(course, port, open_browser, jupyter_options)
    stop_on_interrupt(server)
    # Once the loop runs, when the server answers at its address.
    server.io_loop.add_callback(announce, server, port, open_browser)
    server.start()
    end_open_requests(server)
    click.echo("JupyterLab has stopped.")


def here() -> Path:
    """Return the folder that one is in; it may have been deleted."""
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise click.ClickException(
            "The folder you are in was deleted. Change into the one of the course, and try again."
        ) from error


def course_toml(folder: Path) -> str | None:
    """Return what the teacher's course.toml says, in a folder; None where there is none."""
    file = folder / "course.toml"
    return read_utf8(file) if file.is_file() else None


def find_course(start: Path) -> Path:
    """Find the folder of the course: `start`, a folder above it, or the checkout of the package."""
    for folder in (start, *start.parents, _CHECKOUT):
        if is_course(folder):
            return folder
    raise click.ClickException(
        f"There is no course here: neither {start} nor a folder above it holds {FIRST_LESSON}. "
        "Change into the folder that you cloned, and run `normlab lab` there."
    )


def bring_course(start: Path) -> Path:
    """Find the folder of the course, or copy the course that the package carries into `start`.

    A clone and a bundle of ``normlab release`` are complete, and left as they are: they hold the
    package as well.
    """
    if not _PACKED.is_dir():
        return find_course(start)
    course = next((folder for folder in (start, *start.parents) if is_course(folder)), None)
    if course is None:
        added = copy_missing(start)
        click.echo(f"Copied the course to {start}: {len(added)} notebooks.")
        return start
    if not (course / "normlab" / "__init__.py").exists():
        bring_packed(course)
    return course


def bring_packed(course: Path) -> None:
    """Add what a course lacks of the one that the package carries, renew it, and say so."""
    added = copy_missing(course)
    if added:
        click.echo(f"Added what was missing in {course}: {', '.join(map(str, added))}")
    packed = {
        path.relative_to(_PACKED).as_posix(): path.read_bytes()
        for path in sorted(_PACKED.glob("*/*.ipynb"))
    }
    with _told_where_it_cannot_be_written(course):
        said = bring_all(packed, course)
    if said:
        click.echo(said)


def is_course(folder: Path) -> bool:
    """Say whether a folder is that of the course: whether it holds the first lesson."""
    return (folder / FIRST_LESSON).is_file()


def copy_missing(course: Path) -> list[Path]:
    """Copy what `course` does not have yet; return its path in there, file by file."""
    added = []
    for source in sorted(_PACKED.glob("*/*.ipynb")):
        name = source.relative_to(_PACKED)
        if not os.path.lexists(course / name):
            with _told_where_it_cannot_be_written(course / name):
                (course / name).parent.mkdir(exist_ok=True)
                write_whole(course / name, source.read_bytes())
            added.append(name)
    return added


@contextmanager
def _told_where_it_cannot_be_written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.ClickException(
            f"Cannot copy the course: {error.strerror or error} ({path}). "
            "Change into an empty folder of your own, and run `normlab lab` there."
        ) from error


def prepare_environment() -> None:
    """Set what JupyterLab and its kernels read from the environment, for this run alone."""
    # In front of the learner's own configuration, which is read as ever and never written.
    put_in_front("JUPYTER_CONFIG_PATH", _CONFIGURATION)
    # So that a terminal in JupyterLab finds `normlab` where the environment is not activated.
    put_in_front("PATH", Path(sys.executable).parent)
    # So that "Python 3" is this environment's, not one that the user installed for another.
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")


def put_in_front(variable: str, folder: Path) -> None:
    """Put a folder in front of those that a variable such as ``PATH`` already lists."""
    others = os.environ.get(variable)
    os.environ[variable] = f"{folder}{os.pathsep}{others}" if others else str(folder)


def has_a_window() -> bool:
    """Say whether a browser can open here. A text browser in a terminal cannot show JupyterLab."""
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return has_a_screen()


def start_jupyterlab(
    course: Path, port: int, open_browser: bool, more: tuple[str, ...] = ()
) -> "ServerApp":
    """Set up JupyterLab on a free port, ready for ``start()``."""
    # Jupyter takes a second to import: no other command of normlab should wait for it.
    try:
        import zmq
        from jupyterlab.labapp import LabApp
    except ModuleNotFoundError as error:
        raise click.ClickException(
            "JupyterLab is not installed here. Install it with the package, "
            '`python -m pip install "normlab[lab]"`, or open the notebooks in the program you use.'
        ) from error

    options = {
        "ServerApp.root_dir": course,
        "ServerApp.port": port,
        "ServerApp.open_browser": open_browser,
        # Containers, and some classrooms, have no other user. The server still listens on this
        # machine alone and still asks for a token.
        "ServerApp.allow_root": True,
        # Chosen here, so that JupyterLab leaves it to us to print the address.
        "IdentityProvider.token": os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24),
        "LabApp.custom_css": True,
        "LabApp.default_url": f"/lab/tree/{FIRST_LESSON}",
        # Beside the course: what was open for another project stays with that project.
        "LabApp.workspaces_dir": make_workspaces(course),
        # Errors alone: a learner has no use for the other messages. `-- --debug` shows them all.
        "Application.log_level": "ERROR",
    }
    if zmq.has("curve"):
        # Others on the same machine cannot listen to the kernel, and the kernel has nothing to
        # warn about.
        options["KernelManager.transport_encryption"] = "auto"
    arguments = [f"--{name}={value}" for name, value in options.items()] + list(more)
    try:
        # No option of the command line names the folder of custom.css.
        return LabApp.initialize_server(
            arguments, static_custom_path=[str(_CONFIGURATION / "custom")]
        )
    except OSError as error:
        raise click.ClickException(
            f"JupyterLab cannot start: {error.filename or 'a file of its own'}: {error.strerror}. "
            "It keeps files of its own in your home folder; where that cannot be written, let HOME "
            "name another folder."
        ) from error


def make_workspaces(course: Path) -> Path:
    """Make the folder where JupyterLab keeps the layout of its tabs."""
    workspaces = course / ".normlab" / "jupyterlab"
    try:
        workspaces.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(
            f"Cannot write in {course} ({error.strerror}), so your work could not be saved. "
            "Copy the course to a folder of your own, and run `normlab lab` there."
        ) from error
    return workspaces


def announce(server: "ServerApp", port: int, open_browser: bool) -> None:
    """Print where the course is, and how to stop."""
    if server.port != port != 0:
        click.echo(f"Port {port} is not free, so this is port {server.port}.")
    click.echo(
        "Opening the course in your browser. Its address:" if open_browser else "The course:"
    )
    click.echo()
    addresses = [urljoin(server.connection_url, server.default_url)]
    if server.ip in ("", "0.0.0.0", "::"):  # other machines may connect as well
        addresses.insert(0, server.local_url.partition("?")[0])
    for address in addresses:
        click.echo(f"    {address}?token={server.identity_provider.token}")
    click.echo()
    click.echo("Keep this window open while you work. Ctrl-C stops JupyterLab.")


def stop_on_interrupt(server: "ServerApp") -> None:
    """Let Ctrl-C stop the server and its kernels at once, where Jupyter would ask a question."""

    def stop(*_: object) -> None:
        # A second Ctrl-C does not wait for a kernel that will not stop.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        server.stop(from_signal=True)

    signal.signal(signal.SIGINT, stop)


def end_open_requests(server: "ServerApp") -> None:
    """Bring the requests to an end that were open when the server stopped.

    The page asks for something every few seconds. Jupyter leaves such a request where it is, and
    the thread that reads or writes a file for it would keep this process alive for ever.
    """
    import asyncio

    async def end_them() -> None:
        await server.http_server.close_all_connections()
        requests = asyncio.all_tasks() - {asyncio.current_task()}
        if requests:
            await asyncio.wait(requests, timeout=_PATIENCE)
        server.log.setLevel("CRITICAL")  # nobody waits for an answer any more
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    server.io_loop.asyncio_loop.run_until_complete(end_them())  # type: ignore[attr-defined]
