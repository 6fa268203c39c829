"""What was run for the claims that lesson 11 only lists, a function for each.

``CHECKS``
    For each claim its function, which runs the experiment and returns what it `Seen`.
"""

from normlab.claims.evidence import (  # noqa: F401 - each adds its functions to CHECKS
    axes,
    batch_norm,
    in_pytorch,
    learning,
    words,
)
from normlab.claims.evidence.tools import CHECKS, Seen

__all__ = ["CHECKS", "Seen"]
