"""The figures: each has alt text, and what must be in it is in it."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from normlab import plots


def test_a_picture_without_alt_text_is_refused():
    with pytest.raises(ValueError, match="needs alt text"):
        plots.Picture(Figure(), "  ")


def test_a_picture_shows_itself_with_its_alt_text(tmp_path):
    picture = plots.Picture(Figure(), 'a "quoted"\n   <sign>')
    html = picture._repr_html_()
    assert html.startswith('<img src="data:image/png;base64,')
    assert 'alt="a &quot;quoted&quot; &lt;sign&gt;"' in html
    assert repr(picture) == '[picture: a "quoted" <sign>]'
    picture.save(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("axes", "groups", "counts"),
    [
        ((0, 2), None, (4, 1, 5)),  # BatchNorm
        ((1, 2), None, (1, 6, 5)),  # LayerNorm
        ((2,), None, (1, 1, 5)),  # InstanceNorm
        ((2,), 2, (1, 3, 5)),  # GroupNorm, two groups
    ],
)
def test_which_cells_share_a_mean(axes, groups, counts):
    cells = plots.averaged_cells((4, 6, 5), axes, groups)
    assert tuple(np.unique(index).size for index in np.nonzero(cells)) == counts
    assert cells.sum() == np.prod(counts)


def test_the_block_says_what_is_coloured():
    picture = plots.block({"LayerNorm": plots.averaged_cells((4, 6, 5), (1, 2))})
    assert "LayerNorm: in a block of 4 by 6 by 5" in picture.alt
    assert "1 sample, 6 channels, 5 positions" in picture.alt


def test_every_figure_draws():
    rng = np.random.default_rng(0)
    pictures = [
        plots.images(rng.random((3, 5, 5)), [1, 2, 3], alt="three"),
        plots.dots({"a": rng.random((9, 2))}, ["u", "v"], xlabel="value", alt="dots"),
        plots.curves(
            np.arange(4),
            {"a": rng.random((3, 4)), "b": rng.random(4)},
            xlabel="x",
            ylabel="y",
            alt="curves",
            reference={"half": 0.5},
        ),
    ]
    assert [picture.alt for picture in pictures] == ["three", "dots", "curves"]
    assert all(len(picture.png) > 1000 for picture in pictures)
