"""What the two articles claim, in our words, and a ledger for what an experiment says of it.

``load_claims``
    All 89, from ``claims.toml`` beside this file.
``Ledger``
    Lesson 11 writes its findings into one; it shows itself as a table that can be filtered.
``VERDICTS``
    What can be said of a claim.
"""

from normlab.claims.claim import VERDICTS, Claim, load_claims, load_sources
from normlab.claims.ledger import Ledger, Ruling

__all__ = ["VERDICTS", "Claim", "Ledger", "Ruling", "load_claims", "load_sources"]
