"""Let the tests of this folder import `torch_oracle`; a fixed pace for hypothesis and torch."""

import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile(
    "twins", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("twins")


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Thousands of tiny calls are faster without a second thread to wait for."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
