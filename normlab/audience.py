"""Whether somebody is there to look, choose and click."""

import os


def nobody_is_there() -> bool:
    """Tell whether a notebook is executed for its outputs: nobody can move or choose anything."""
    return os.environ.get("TQDM_DISABLE", "0") not in {"", "0"}
