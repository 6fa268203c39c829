"""The text of the small language models."""

import hashlib

from normlab.data import load_help_text
from normlab.training.transformer import CHARACTERS, help_texts, spelled


def test_the_text_is_the_one_that_the_recorded_models_learned():
    """Another release of Python has other topics; the file stays."""
    text = load_help_text()
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "501884b69eb354f510b25645e2576eec03abc21051c665fe24d895dcd5335e64"
    assert set(text) <= set(CHARACTERS)


def test_its_three_parts_are_the_whole_text():
    parts = [iter(spelled(part)) for part in help_texts()]
    lengths = (16_000, 2_000, 2_000)  # of every 20,000 characters
    pieces = []
    for _ in range(20):
        for part, length in zip(parts, lengths, strict=True):
            pieces.append("".join(next(part) for _ in range(length)))
    assert "".join(pieces) == load_help_text()
