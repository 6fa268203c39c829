"""What a learner sees in JupyterLab of the files: the course as it is, and files of their own."""

from pathlib import Path
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

WORKSHOP = frozenset(
    {
        *("CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "LICENSE-TEXT.md"),
        *("Makefile", "benchmarks", "build", "conftest.py", "constraints.txt", "dist", "docs"),
        *("environment.yml", "normlab", "normlab.egg-info", "pyproject.toml", "solutions"),
        *("source", "tests"),
    }
)
"""Names at the top of a clone that serve to make and test the course, not to learn from it."""

BUNDLE = frozenset(
    {
        *("LICENSE", "LICENSE-TEXT.md", "constraints.txt", "environment.yml"),
        *("build", "normlab", "normlab.egg-info", "pyproject.toml"),
    }
)
"""Those that a bundle of ``normlab release`` has, with what pip leaves in it."""


def hidden(course: Path) -> frozenset[str]:
    """Return the names at the top of a course that a learner is not shown."""
    if (course / "source" / "build.py").is_file():
        return WORKSHOP
    return BUNDLE if (course / "normlab" / "__init__.py").is_file() else frozenset()


# What the course's notebooks say of their language: not which Python 3 they were made with.
_ANY_PYTHON = {"name": "python"}


class CourseContentsManager(AsyncLargeFileManager):
    """Jupyter's own manager of files, which shows a learner the course, and as it is.

    It leaves `WORKSHOP` out of the list of a clone's top folder, `BUNDLE` out of a bundle's, and
    nothing elsewhere: there a folder ``docs`` is the learner's own. Jupyter's ``hide_globs`` would
    do this with a setting, but it goes by name alone: a folder ``exercises/tests`` of a learner's
    own would vanish as well. What is left out can still be opened by its address: this keeps the
    list short, and nothing secret.

    And it tells JupyterLab in advance what the kernel will say of its language. JupyterLab would
    put that into the notebook by itself, take it for a change, and ask whether to save it when the
    learner closes a lesson that was only read.
    """

    async def get(self, path: str, content: bool = True, **options: Any) -> dict[str, Any]:  # type: ignore[override]  # noqa: ANN401 - whatever Jupyter passes on
        """Return the model of a file or folder; see ``ContentsManager.get``."""
        model = await super().get(path, content=content, **options)
        if content and path.strip("/") == "":
            left_out = hidden(Path(self.root_dir))
            model["content"] = [file for file in model["content"] if file["name"] not in left_out]
        if content and model["type"] == "notebook":
            metadata = model["content"]["metadata"]
            if metadata.get("language_info") == _ANY_PYTHON:
                metadata["language_info"] = IPythonKernel.language_info
        return model
