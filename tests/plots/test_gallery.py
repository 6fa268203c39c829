"""Many blocks in one picture."""

import numpy as np
import pytest
from matplotlib.axes import Axes

from normlab.plots import averaged_cells
from normlab.plots.gallery import gallery


@pytest.fixture
def titles(monkeypatch):
    """Keep the titles that are drawn."""
    found = []
    original = Axes.set_title

    def set_title(axes, label, **options):
        found.append(label)
        return original(axes, label, **options)

    monkeypatch.setattr(Axes, "set_title", set_title)
    return found


def test_every_norm_is_drawn_and_described(titles):
    norms = {f"norm {axis}": averaged_cells((4, 6, 5), (axis,)) for axis in (0, 1, 2)}
    picture = gallery({**norms, "one value": averaged_cells((4, 6, 5), ())})
    assert titles == ["norm 0", "norm 1", "norm 2", "one value"]
    assert "norm 0: 4 of 4 N by 1 of 6 C by 1 of 5 L." in picture.alt
    assert "one value: 1 of 4 N by 1 of 6 C by 1 of 5 L." in picture.alt


def test_a_row_has_three(titles):
    cells = np.ones((2, 2, 2), dtype=bool)
    one_row, two_rows = (
        gallery({str(i): cells for i in range(count)}, alt="Blocks.") for count in (3, 4)
    )
    height = [int.from_bytes(picture.png[20:24], "big") for picture in (one_row, two_rows)]
    assert height[1] == 2 * height[0]
    assert one_row.alt == "Blocks."
