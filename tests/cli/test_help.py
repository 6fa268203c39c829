"""What the command says of itself, and what the Tab key completes."""

import os
import re
import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from normlab.cli.main import normlab
from normlab.training import experiment_names

RUN = [sys.executable, "-c", "from normlab.cli.main import main; main()"]


def ask(*words):
    return CliRunner().invoke(normlab, words, prog_name="normlab").output


def examples(help_text):
    """Return the lines under "Examples", without what is said beside them."""
    below = help_text.partition("Examples")[2].partition("\n\n")[0]
    return [re.split(r"\s{3,}", line.strip())[0] for line in below.splitlines()[1:]]


def test_the_first_page_names_every_command_once_with_a_whole_sentence():
    page = ask("--help")
    listed = re.findall(
        r"^  ([a-z-]+) {2,}(\S.*(?:\n {14}\S.*)*)", page.partition("To learn")[2], re.M
    )
    assert sorted(name for name, _ in listed) == sorted(normlab.commands)
    for name, sentence in listed:
        assert sentence.endswith("."), name
        assert not sentence.endswith("..."), name


@pytest.mark.parametrize("name", ["", *normlab.commands])
def test_every_page_has_examples_that_the_command_understands(name):
    lines = examples(ask(*([name] if name else []), "--help"))
    assert len(lines) >= 2
    for line in lines:
        words = shlex.split(line.removeprefix('eval "$(').removesuffix(')"').split(" | ")[0])
        while "=" in words[0]:  # a variable for this one call
            words.pop(0)
        assert words[0] == "normlab"
        command = normlab.commands[words[1]]
        if words[2:] != ["--help"]:
            command.make_parser(click.Context(command)).parse_args(words[2:])


def test_an_example_that_is_not_understood_would_be_seen():
    parser = normlab.commands["grade"].make_parser(click.Context(normlab.commands["grade"]))
    with pytest.raises(click.NoSuchOption):
        parser.parse_args(["submissions", "--no-such"])


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["no-such"], 2, "normlab: No such command 'no-such'.\n"),
        (["export", ".", "--to", "csv"], 1, "normlab: "),
        (["completion"], 2, "normlab: Missing argument"),
    ],
)
def test_an_error_is_one_line_and_a_status(words, status, says, tmp_path):
    ended = subprocess.run(
        [*RUN, *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ended.returncode == status
    assert ended.stderr.startswith(says)
    assert ended.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize(("no_color", "is_red"), [("", True), ("1", False)])
def test_a_terminal_gets_colour_unless_it_is_unwanted(no_color, is_red):
    ours, its = os.openpty()
    environment = os.environ | {"NO_COLOR": no_color}
    subprocess.run([*RUN, "no-such"], stderr=its, env=environment, check=False, timeout=60)
    said = os.read(ours, 1000).decode()
    os.close(ours)
    os.close(its)
    assert said.startswith("\x1b[31m\x1b[1mnormlab:\x1b[0m No " if is_red else "normlab: No ")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["progres"], "progress"),
        (["students", "remov", "."], "remove"),
        (["export", ".", "--to", "canva"], "canvas"),
        (["completion", "bsh"], "bash"),
        (["grade", ".", "-o", "x", "--attempt", "lst"], "last"),
        (["grade", ".", "--regrad"], "--regrade"),
        (["autograder", "2_batch_nrm_forward", "x.zip"], "02_batch_norm_forward"),
        (["experiment", "learning_rate"], "learning_rates"),
        (["show", "standardise"], "standardize"),
    ],
)
def test_a_name_that_is_nearly_right_is_told(words, meant):
    done = CliRunner().invoke(normlab, words)
    said = done.output + str(done.exception)
    assert re.search(f"Did you mean ['\"]{meant}['\"]\\?", said), said


def completed(line, monkeypatch):
    """Return what bash would offer for the last word of a line."""
    words = line.split(" ")
    monkeypatch.setenv("_NORMLAB_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    ended = subprocess.run(RUN, capture_output=True, text=True, check=False)
    return [entry.partition(",")[2] for entry in ended.stdout.splitlines()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("normlab pro", ["progress"]),
        ("normlab export --to n", ["nbgrader"]),
        ("normlab experiment ", experiment_names()),
        ("normlab grade --reg", ["--regrade"]),
    ],
)
def test_the_tab_key_completes(line, offered, monkeypatch):
    assert completed(line, monkeypatch) == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(shell):
    assert "_NORMLAB_COMPLETE" in ask("completion", shell)
