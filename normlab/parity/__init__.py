"""Parity: a NumPy layer beside its torch twin, and a table of what differs.

``pair``
    Make the two layers, with the same weights, biases and running statistics.
``compare``
    Run both on one input, forward and backward, and compare everything that comes out.
``compare_cases``
    The same for several inputs: one line a case.
"""

from normlab.parity.compare import compare, compare_cases, pair
from normlab.parity.table import CaseTable, ParityTable, Row

__all__ = ["CaseTable", "ParityTable", "Row", "compare", "compare_cases", "pair"]
