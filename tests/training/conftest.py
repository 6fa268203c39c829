"""What the tests of training share."""

import signal

import pytest


@pytest.fixture
def heeds_interrupts():
    """Heed Ctrl-C, which a process that was started in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
