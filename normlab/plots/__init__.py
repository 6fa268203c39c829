"""Every figure of the course: functions of plain arrays that return a `Picture` with alt text.

``block``, ``gallery``
    The N × C × L block, with the values that share one mean coloured; several norms side by side.
    ``averaged_cells`` says which cells those are, from the axes of a norm.
``arrays``, ``images``, ``lights``
    Small arrays as tables of numbers, some marked; a row of images; images in several lights.
``dots``, ``differences``
    Every value of a few features, before and after; how far several networks are from one.
``curves``, ``beside``, ``following``
    Training curves of several runs, with their spread; each network in a panel with the one it is
    compared with; scattered values, and lines that follow them.
``sweep``, ``doubling``
    What comes out for each value of a setting, on a logarithmic axis; or of one that doubles from
    step to step, such as a batch size.
``layer_bands``, ``by_layer``, ``buffers``
    What goes on inside the layers while a network trains; batch and running statistics.
``placements``, ``stream``
    A transformer's block, its norms in five places; how its residual stream grows.
``graph``, ``descent``, ``stretch``
    A computation; gradient descent on a loss of two weights; what a matrix does to a circle.
``words``
    The titles, axes and alt texts of the lessons' figures.
``explore``
    Pictures with controls, which need no kernel: ``plots.explore.block()``.

One style, readable at the width of a notebook, without colour and without eyes: beside colour
there is always a second cue (a tint, a marker, a dash, a label on the line), and each picture
carries a sentence that says what it shows.
"""

from normlab.plots import explore
from normlab.plots.arrays import arrays
from normlab.plots.block import averaged_cells, block
from normlab.plots.buffers import Statistic, buffers
from normlab.plots.gallery import gallery
from normlab.plots.graph import graph
from normlab.plots.images import images, lights
from normlab.plots.lines import beside, by_layer, curves, doubling, following, layer_bands, sweep
from normlab.plots.picture import Picture
from normlab.plots.plane import descent, stretch
from normlab.plots.points import differences, dots
from normlab.plots.stream import placements, stream
from normlab.plots.words import words

__all__ = [
    "Picture",
    "Statistic",
    "arrays",
    "averaged_cells",
    "beside",
    "block",
    "buffers",
    "by_layer",
    "curves",
    "descent",
    "differences",
    "dots",
    "doubling",
    "explore",
    "following",
    "gallery",
    "graph",
    "images",
    "layer_bands",
    "lights",
    "placements",
    "stream",
    "stretch",
    "sweep",
    "words",
]
