"""What a learner sees in JupyterLab's file browser: the course, and files of their own."""

from typing import Any

from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

WORKSHOP = frozenset(
    {
        "LICENSE",
        "LICENSE-TEXT.md",
        "Makefile",
        "benchmarks",
        "build",
        "conftest.py",
        "constraints.txt",
        "dist",
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


class CourseContentsManager(AsyncLargeFileManager):
    """Jupyter's own manager of files, which leaves `WORKSHOP` out of the list of the top folder.

    Jupyter's ``hide_globs`` would do this with a setting, but it goes by name alone: a folder
    ``exercises/tests`` of a learner's own would vanish as well. What is left out can still be
    opened by its address: this keeps the list short, and nothing secret.
    """

    async def get(self, path: str, content: bool = True, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever Jupyter passes on
        """Return the model of a file or folder; see ``ContentsManager.get``."""
        model = await super().get(path, content=content, **options)
        if content and path.strip("/") == "":
            model["content"] = [file for file in model["content"] if file["name"] not in WORKSHOP]
        return model
