"""Checkup: what is suspicious about the norm layers of a model.

``doctor``
    Looks at any ``torch.nn.Module`` and reports; ``normlab.doctor`` is this function.
``Examination``, ``Finding``, ``Condition``
    What it returns: findings, each a condition of one layer.
``CONDITIONS``
    Every condition that it knows, with the lesson's section that shows it.

It knows PyTorch alone, and nothing of the rest of the package.
"""

from normlab.checkup.conditions import CONDITIONS, Condition
from normlab.checkup.examine import doctor
from normlab.checkup.report import Examination, Finding

__all__ = ["CONDITIONS", "Condition", "Examination", "Finding", "doctor"]
