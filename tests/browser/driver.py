"""Drive the course in JupyterLab, in a headless Chromium, as a learner would with a mouse.

The tests of this folder and ``screenshot.py`` share it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Playwright

ROOT = Path(__file__).parents[2]
NORMLAB = "from normlab.cli.main import main; main()"
FIRST_LESSON = "notebooks/00_start_here.ipynb"

HOW_TO_GET_CHROMIUM = (
    "no Chromium found: install one (Debian: `apt install chromium`), "
    "or fetch Playwright's own with `python -m playwright install chromium`"
)
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM_OPTIONS = (
    # Chromium's sandbox refuses to start as root, which is who runs in a container.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Lets the page's JavaScript ask JupyterLab for the notebook it holds, its outputs and its kernel.
EXPOSED = ("--expose-app-in-browser",)

START_TIMEOUT = 120  # seconds, for the server and for the page each
RUN_TIMEOUT = 600  # seconds for one notebook: a lesson takes a minute on two cores to themselves


# The browser


def find_chromium(playwright: Playwright) -> str | None:
    """Find a Chromium on the PATH, or the one that Playwright installed."""
    for name in CHROMIUM_NAMES:
        if path := shutil.which(name):
            return path
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def start_chromium(playwright: Playwright, executable: str) -> Browser:
    """Start a headless Chromium that keeps to itself."""
    return playwright.chromium.launch(executable_path=executable, args=list(CHROMIUM_OPTIONS))


CONTROLS = {"slider", "radio", "checkbox", "button", "textbox", "group", "radiogroup"}


def accessibility_tree(page: Page) -> list[tuple[str, str]]:
    """Return the role and the name of all that a screen reader finds in a page."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in tree
        if not node["ignored"]
    ]


# The course and its server


def copy_course(folder: Path) -> Path:
    """Copy the course, so that running a notebook changes nothing in the checkout."""
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.egg-info"))
    # Git keeps no empty folder, and a learner's clone has both.
    for name in ("notebooks", "exercises"):
        (folder / name).mkdir(exist_ok=True)
    return folder


@dataclass
class Server:
    """A running ``normlab lab``."""

    address: str
    """Where it opens: the first lesson, token included."""
    base: str
    """Its root, ``http://localhost:8888``."""
    token: str


@contextmanager
def serve(course: Path, jupyter_home: Path) -> Iterator[Server]:
    """Run ``normlab lab --no-browser`` in `course`, as on a machine that never ran Jupyter."""
    output = jupyter_home / "output.txt"
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", NORMLAB, "lab", "--no-browser", "--port", "0", "--", *EXPOSED],
            cwd=course,
            env=fresh_environment(jupyter_home),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while "Ctrl-C" not in output.read_text():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"normlab lab did not start:\n{output.read_text()}")
            time.sleep(0.1)
        address = re.search(r"http\S+", output.read_text())[0]
        base, token = address.split("/lab/")[0], address.split("token=")[1]
        yield Server(address, base, token)
    finally:
        process.terminate()
        process.wait(60)


def fresh_environment(jupyter_home: Path) -> dict[str, str]:
    """Return the environment of a learner's first start, with the progress bars that tests lack."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("JUPYTER") and name != "TQDM_DISABLE"
    }
    return kept | {
        "JUPYTER_CONFIG_DIR": str(jupyter_home / "config"),
        "JUPYTER_DATA_DIR": str(jupyter_home / "data"),
        "IPYTHONDIR": str(jupyter_home / "ipython"),
    }


# The page

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"
DIALOG = ".jp-Dialog"
TOAST = ".Toastify__toast"
WIDGET = f"{NOTEBOOK} .jupyter-widgets"

# What the functions below share: each is an expression in the page's JavaScript.
PANEL = "window.jupyterapp?.shell.currentWidget"
MODEL = f"{PANEL}?.content?.model"
KERNEL = f"{PANEL}?.sessionContext?.session?.kernel"
IDLE = f'{KERNEL}?.connectionStatus === "connected" && {KERNEL}.status === "idle"'


@dataclass
class Lab:
    """JupyterLab in one page of the browser."""

    page: Page
    server: Server
    course: Path
    requests: list[str] = field(default_factory=list)
    """Every address that the page asked for."""

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))

    def external_requests(self) -> list[str]:
        """Return the addresses asked for that are not on this machine."""
        return [
            url
            for url in self.requests
            if urlsplit(url).scheme not in ("data", "blob", "about")
            and urlsplit(url).hostname not in ("localhost", "127.0.0.1")
        ]

    def open_as_printed(self) -> None:
        """Open the address that ``normlab lab`` prints: the first lesson."""
        self.page.goto(self.server.address)
        self.wait_until_ready(FIRST_LESSON)

    def open(self, path: str) -> None:
        """Open a notebook of the course in a workspace of its own, with no other tab beside it."""
        workspace = uuid.uuid4().hex
        self.page.goto(
            f"{self.server.base}/lab/workspaces/{workspace}/tree/{path}?token={self.server.token}"
        )
        self.wait_until_ready(path)

    def wait_until_ready(self, path: str) -> None:
        """Wait until the notebook is drawn and its kernel is idle.

        Raises
        ------
        RuntimeError
            If JupyterLab asks a question instead.
        """
        self.page.wait_for_function(
            f"""([path, dialog]) => document.querySelector(dialog) ||
                ({PANEL}?.context?.path === path && {IDLE})""",
            arg=[path, DIALOG],
            timeout=START_TIMEOUT * 1000,
        )
        if self.page.locator(DIALOG).count():
            raise RuntimeError(f"JupyterLab asks: {self.page.locator(DIALOG).inner_text()!r}")
        self.page.wait_for_function(
            """([notebook, cells]) => {
                const drawn = [...document.querySelectorAll(`${notebook} .jp-Notebook-cell`)];
                const outputs = (cell, it) => !it.outputs?.length || cell.querySelector(
                    ".jp-OutputArea-output");
                const text = (cell, it) => it.cell_type !== "markdown" || cell.querySelector(
                    ".jp-MarkdownOutput > *");
                return drawn.length === cells.length && cells.every(
                    (it, index) => outputs(drawn[index], it) && text(drawn[index], it));
            }""",
            arg=[NOTEBOOK, self.read(path)["cells"]],
            timeout=START_TIMEOUT * 1000,
        )
        self.settle()

    def settle(self) -> None:
        """Wait until no widget is loading, and nothing was added for half a second."""
        self.page.wait_for_function(
            """notebook => {
                const before = window.elementsBefore;
                const elements = [...document.querySelectorAll(`${notebook} *`)];
                window.elementsBefore = elements.length;
                return elements.length === before &&
                    !elements.some(it => it.textContent === "Loading widget...");
            }""",
            arg=NOTEBOOK,
            polling=500,
        )

    def read(self, path: str) -> dict:
        """Read a notebook of the course from the disk."""
        return json.loads((self.course / path).read_text(encoding="utf-8"))

    def choose(self, menu: str, item: str) -> None:
        """Choose an item of a menu with the mouse."""
        self.page.locator(".lm-MenuBar-itemLabel").get_by_text(menu, exact=True).click()
        self.page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()

    def run_all_cells(self) -> None:
        """Run every cell through the menu, and wait until the last has run or one has failed."""
        # A committed notebook is full of execution counts: with them gone, the new ones tell.
        self.choose("Edit", "Clear Outputs of All Cells")
        self.page.wait_for_function(f"[...{MODEL}.cells].every(cell => !cell.executionCount)")
        self.choose("Run", "Run All Cells")
        self.page.wait_for_function(
            f"""notebook => {IDLE} && [...{MODEL}.cells].some(cell => cell.executionCount) &&
                [...document.querySelectorAll(`${{notebook}} .jp-InputPrompt`)].every(
                    prompt => !prompt.textContent.includes("*"))""",
            arg=NOTEBOOK,
            timeout=RUN_TIMEOUT * 1000,
        )
        self.settle()

    def cells(self) -> list[dict]:
        """Return the cells as JupyterLab has them now, outputs and execution counts included."""
        return self.page.evaluate(f"{MODEL}.toJSON().cells")

    def errors(self) -> list[str]:
        """Return what went wrong, but not in a cell that is tagged to raise an exception.

        That is: the errors among the outputs, and the widgets that JupyterLab cannot show.
        """
        raised = [
            f"cell {index}: {output['ename']}: {output['evalue']}"
            for index, cell in enumerate(self.cells())
            if "raises-exception" not in cell["metadata"].get("tags", [])
            for output in cell.get("outputs", [])
            if output["output_type"] == "error"
        ]
        return raised + [text for text in self.texts(WIDGET) if "Error" in text]

    def cells_without_count(self) -> list[int]:
        """Return the numbers of the code cells that did not run."""
        return [
            index
            for index, cell in enumerate(self.cells())
            if cell["cell_type"] == "code" and not cell["execution_count"]
        ]

    def pictures(self) -> list[dict]:
        """Return for each picture in the notebook its cell's number and its alt text."""
        return self.page.evaluate(
            """notebook => [...document.querySelectorAll(`${notebook} .jp-Notebook-cell`)]
                .flatMap((cell, index) => [...cell.querySelectorAll(
                    ".jp-OutputArea img, .jp-OutputArea canvas, .jp-MarkdownOutput img")]
                    .map(it => ({index, alt: (it.getAttribute("alt") || "").trim()})))""",
            NOTEBOOK,
        )

    def pictures_without_alt(self) -> list[int]:
        """Return the numbers of the cells with a picture that says nothing to a screen reader."""
        # "Image" is what JupyterLab puts in where a picture in text has none.
        return [picture["index"] for picture in self.pictures() if picture["alt"] in ("", "Image")]

    def shut_down_kernels(self) -> None:
        """Stop the kernels, so that the next notebook has the machine to itself."""
        headers = {"Authorization": f"token {self.server.token}"}
        api = f"{self.server.base}/api/sessions"
        for session in self.page.request.get(api, headers=headers).json():
            self.page.request.delete(f"{api}/{session['id']}", headers=headers)

    def texts(self, selector: str) -> list[str]:
        """Return the texts of the elements that can be seen."""
        return [
            element.inner_text().strip()
            for element in self.page.locator(selector).all()
            if element.is_visible()
        ]
