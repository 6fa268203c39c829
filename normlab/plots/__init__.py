"""Every figure of the course: functions of plain arrays that return a `Picture` with alt text.

``block``
    The N × C × L block, with the values that share one mean coloured.
``averaged_cells``
    Which cells those are, from the axes of a norm.
``arrays``
    Small arrays as tables of numbers, with some of the cells marked.
``buffers``
    Batch statistics, and the running statistics that follow them.
``images``
    A row of images.
``dots``
    Every value of a few features, before and after.
``curves``
    Training curves of several runs, with their spread.
``following``
    Scattered values, and lines that follow them.
``sweep``
    What comes out for each value of a setting, on a logarithmic axis.
``layer_bands``, ``by_layer``
    What goes on inside the layers while a network trains.
``beside``
    Training curves of several networks, each in a panel with the one it is compared with.
``differences``
    How far several networks are from one: every seed, the mean, an interval.
``doubling``
    Values against a quantity that doubles from step to step, such as a batch size.
``gallery``
    The block of several norms side by side.
``placements``
    A transformer's block, its norms in five places.
``stream``
    How the residual stream grows from block to block, and what each block is worth.
``lights``
    The same images in several lights, a row each.
``stretch``
    What a matrix does to a circle.
``graph``
    A computation: values in boxes, operations on arrows.
``descent``
    Level lines of a loss of two weights, and the path of gradient descent.
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
