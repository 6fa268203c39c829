"""What a learner sees in JupyterLab of the files: the course as it is, and files of their own."""

from typing import Any

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

WORKSHOP = frozenset(
    {
        "CITATION.cff",
        "LICENSE",
        "LICENSE-TEXT.md",
        "Makefile",
        "benchmarks",
        "build",
        "conftest.py",
        "constraints.txt",
        "dist",
        "docs",
        "environment.yml",
        "normlab",
        "normlab.egg-info",
        "pyproject.toml",
        "solutions",
        "source",
        "tests",
    }
)
"""Names at the top of the course folder that serve to make and test it, not to learn from it."""


# What the course's notebooks say of their language: not which Python 3 they were made with.
_ANY_PYTHON = {"name": "python"}


class CourseContentsManager(AsyncLargeFileManager):
    """Jupyter's own manager of files, which shows a learner the course, and as it is.

    It leaves `WORKSHOP` out of the list of the top folder. Jupyter's ``hide_globs`` would do this
    with a setting, but it goes by name alone: a folder ``exercises/tests`` of a learner's own would
    vanish as well. What is left out can still be opened by its address: this keeps the list short,
    and nothing secret.

    And it tells JupyterLab in advance what the kernel will say of its language. JupyterLab would
    put that into the notebook by itself, take it for a change, and ask whether to save it when the
    learner closes a lesson that was only read.
    """

    async def get(self, path: str, content: bool = True, **options: Any) -> dict[str, Any]:  # type: ignore[override]  # noqa: ANN401 - whatever Jupyter passes on
        """Return the model of a file or folder; see ``ContentsManager.get``."""
        model = await super().get(path, content=content, **options)
        if content and path.strip("/") == "":
            model["content"] = [file for file in model["content"] if file["name"] not in WORKSHOP]
        if content and model["type"] == "notebook":
            metadata = model["content"]["metadata"]
            if metadata.get("language_info") == _ANY_PYTHON:
                metadata["language_info"] = IPythonKernel.language_info
        return model
