"""Notebooks as people hand them in: whatever happened to them, their code cells are found."""

import json
import types
import warnings

import pytest

from normlab.grading.prison.reading import Unreadable, compile_plain, parse_cell, read_cells


def notebook(*cells, **more):
    return json.dumps({"nbformat": 4, "cells": list(cells), **more}).encode()


def code(source, **more):
    return {"cell_type": "code", "source": source, **more}


def test_code_cells_come_in_their_order_and_nothing_else_does():
    cells = code("a = 1"), {"cell_type": "markdown", "source": "# a"}, code("b = 2")
    assert read_cells(notebook(*cells)) == ["a = 1", "b = 2"]


@pytest.mark.parametrize("source", ["a = 1\nb = 2", ["a = 1\n", "b = 2"]])
def test_a_source_is_a_text_or_a_list_of_lines(source):
    assert read_cells(notebook(code(source))) == ["a = 1\nb = 2"]


def test_metadata_ids_and_outputs_do_not_matter():
    odd = code("a", metadata=None, id=7, outputs="none", execution_count="x")
    assert read_cells(notebook(odd, metadata=[1], nbformat="four")) == ["a"]


def test_the_third_format_keeps_its_cells_in_worksheets():
    old = {"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": "a"}]}, 5]}
    assert read_cells(json.dumps(old).encode()) == ["a"]


def test_a_cell_that_is_none_is_left_out():
    odd = [None, 5, "text", [], {}, {"cell_type": "code"}, code(None), code({"a": 1}), code([1])]
    assert [cell for cell in read_cells(notebook(*odd, code("a"))) if cell] == ["a"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_windows_makes_of_a_file_is_read(encoding):
    text = json.dumps({"cells": [code("größe = 1")]}, ensure_ascii=False)
    assert read_cells(text.encode(encoding)) == ["größe = 1"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b" \n\x00", "empty"),
        (b"\xe9t\xe9", "UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "UTF-8"),
        (b'{"cells": [', "breaks off"),
        (notebook(code("a = 1"))[:-7], "breaks off"),
        (b"print('hello')\nprint(1)", "not JSON"),
        (b"<html><body>Log in first</body></html>", "web page. Download the notebook itself"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>\n<title>Canvas", "web page"),
        (b'{"cells": [\n<<<<<<< HEAD\n 1\n=======\n 2\n>>>>>>> mine\n]}', "conflict of Git's"),
        (b'{"cells": [\n<<<<<<< HEAD\n 1\n=======\n', "not JSON"),
        (b"[1, 2]", "holds something else"),
        (b"null", "holds something else"),
        (b"{}", "no list of cells"),
        (b'{"cells": {"a": 1}}', "no list of cells"),
        (b"[" * 200_000, "nested too deep"),
        (b"9" * 10_000, "Exceeds the limit"),
        (notebook(*[code("")] * 20_001), "20,001 cells"),
        (notebook(code("x" * 10_000_001)), "too long"),
    ],
)
def test_an_unreadable_file_says_why(data, said):
    with pytest.raises(Unreadable, match=said):
        read_cells(data)


# ---- what Jupyter understands and Python does not


def run(source):
    names = {"f": lambda *_: 1}
    for statement in parse_cell(source):
        exec(compile(__import__("ast").Module([statement], []), "cell", "exec"), names)
    return {name: value for name, value in names.items() if name in ("a", "b", "c", "x")}


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\na = 1",
        "!pip install --quiet torch\na = 1",
        "a = 1\n!ls | wc",
        "x?\na = 1",
        "?x\na = 1",
        "np.mean??\na = 1",
        "files = !ls\na = 1",
        "files = %pwd\na = 1",
        "%time a = 1",
        "%timeit -n 3 f(2)\na = 1",
        "if True:\n    %matplotlib inline\n    a = 1",
        "for _ in range(2):\n    !echo\na = 1",
        "%%time\na = 1",
        "\n%%capture out\na = 1",
        "a = 1\r\nb = 2\r\n",
        "\ufeffa = 1".lstrip("\ufeff"),
        "a = 1\n\x00",
    ],
)
def test_magics_are_passed_over(source):
    assert run(source)["a"] == 1


@pytest.mark.parametrize("magic", ["bash", "html", "javascript", "writefile x.py", "sh", "latex"])
def test_a_cell_in_another_language_is_empty(magic):
    assert parse_cell(f"%%{magic}\nrm -rf / ; this is : no Python") == []


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("a = 7 \\\n  % 4", 3),
        ("a = (7\n% 4)", 3),
        ("a = '''\n%time\n!ls\n'''", "\n%time\n!ls\n"),
        ("a = 'really?'", "really?"),
        ("a = 1 if 2 != 3 else 0", 1),
    ],
)
def test_what_is_python_stays_as_it_is(source, value):
    assert run(source)["a"] == value


def test_what_is_no_python_is_a_syntax_error():
    with pytest.raises(SyntaxError):
        parse_cell("def broken(:")


# ---- what needs no look at its statements


@pytest.mark.parametrize(
    "cell", ["x = 1\nx + 1", "", "# only this", "def f():\n    return '%time'", "a = '\\s'"]
)
def test_a_plain_cell_is_compiled_as_it_is(cell):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(compile_plain(cell, "<cell 1>"), types.CodeType)


@pytest.mark.parametrize(
    "cell", ["import numpy", "  from a import b", "%time x = 1", "!ls", "x = (", "x = 1\x00"]
)
def test_any_other_is_looked_at_statement_by_statement(cell):
    assert compile_plain(cell, "<cell 1>") is None
