"""What the other tests of this folder look for is planted here, and has to be found."""

import json

import pytest
import test_notebooks

DOT = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
WIDGET = {"model_id": "0" * 32, "version_major": 2, "version_minor": 0}


def code(source, outputs=(), tags=(), count=None):
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": {"tags": list(tags)},
        "outputs": list(outputs),
        "source": source,
    }


def markdown(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def output(kind, content, **metadata):
    return {
        "output_type": "display_data",
        "data": {kind: content, "text/plain": "..."},
        "metadata": metadata,
    }


def html_output(html):
    return output("text/html", html)


@pytest.fixture
def plant(lab):
    """Return a function that writes a notebook of these cells, and opens it."""

    def write(*cells, kernel="python3"):
        path = "exercises/planted.ipynb"
        metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        notebook = {
            "cells": [cell | {"id": f"cell-{index}"} for index, cell in enumerate(cells)],
            "metadata": metadata if kernel else {},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (lab.course / path).write_text(json.dumps(notebook))
        lab.open(path)
        return path

    return write


def test_an_error_and_the_cells_after_it_are_found(lab, plant):
    plant(code("1", count=1), code("1 / 0", count=2), code("3", count=3))
    assert lab.cells_without_count() == []  # as committed
    lab.run_all_cells()
    (error,) = lab.errors()
    assert error == "cell 1: ZeroDivisionError: division by zero"
    assert lab.cells_without_count() == [2]


def test_an_error_that_its_cell_announces_is_none(lab, plant):
    plant(code("1 / 0", tags=["raises-exception"]), code("2"))
    lab.run_all_cells()
    assert lab.errors() == []
    assert lab.cells_without_count() == []


def test_a_widget_that_cannot_be_shown_is_found(lab, plant):
    data = {"application/vnd.jupyter.widget-view+json": WIDGET}
    plant(code(f"from IPython.display import display\ndisplay({data}, raw=True)"))
    lab.run_all_cells()
    (error,) = lab.errors()
    assert "Error displaying widget" in error


def test_a_slow_cell_is_waited_for(lab, plant):
    plant(code("import time"), code("time.sleep(3)"), code("'done'"))
    lab.run_all_cells()
    assert lab.cells_without_count() == []
    assert lab.texts(".jp-OutputArea-executeResult .jp-OutputArea-output") == ["'done'"]


def test_a_picture_without_alt_is_found(lab, plant):
    plant(
        markdown(f"![A black dot]({DOT})"),
        markdown(f"![]({DOT})"),
        code("", [html_output(f'<img alt="A black dot" src="{DOT}">')]),
        code("", [html_output(f'<img src="{DOT}">')]),
        code("", [html_output(f'<img alt=" " src="{DOT}">')]),
        # JupyterLab does not show an alt text that stands in the metadata.
        code("", [output("image/png", DOT.partition(",")[2], alt="A black dot")]),
    )
    assert len(lab.pictures()) == 6
    assert lab.pictures_without_alt() == [1, 3, 4, 5]


def test_html_that_jupyterlab_cuts_is_found(lab, plant):
    path = plant(
        code("", [html_output('<p style="color: red; padding: 1px">A <b>word</b></p>')]),
        code("", [html_output("<style>p { color: red }</style><p>A word</p>")]),
        code("", [html_output('<p style="color: var(--jp-error-color1)">A word</p>')]),
    )
    shown = test_notebooks.shown_html(lab)
    committed = test_notebooks.committed_html(lab.read(path))
    assert shown[0] == committed[0] == [("p", ["color:red", "padding:1px"]), ("b", [])]
    assert shown[1] != committed[1]
    assert shown[2] != committed[2]


def test_a_request_to_another_machine_is_found(lab, plant):
    plant(markdown("![Nowhere](http://pictures.invalid/dot.png)"))
    lab.page.wait_for_timeout(1000)
    assert lab.external_requests() == ["http://pictures.invalid/dot.png"]
    lab.requests.clear()  # the fixture looks again


@pytest.mark.parametrize("kernel", [None, "fortran"])
def test_a_question_about_the_kernel_is_found(plant, kernel):
    with pytest.raises(RuntimeError, match="Select kernel for"):
        plant(code("1"), kernel=kernel)
