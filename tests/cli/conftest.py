"""What the tests of the commands share."""

import subprocess
import sys

import pytest

from normlab.cli.main import main


@pytest.fixture
def normlab_here(monkeypatch, capsys):
    """Return what runs `normlab` as a shell would, but in this process, which has torch already."""

    def run(*arguments, **environment):
        monkeypatch.setattr(sys, "argv", ["normlab", *arguments])
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as end:
            main()
        written = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, end.value.code, written.out, written.err)

    return run
