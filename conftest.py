"""Settings for every test and for the kernels that nbval starts."""

import os
import tempfile
from pathlib import Path

# A progress bar is never the same twice.
os.environ["TQDM_DISABLE"] = "1"
# Nobody's own progress is touched by a test.
os.environ["NORMLAB_PROGRESS"] = str(Path(tempfile.mkdtemp()) / "progress.json")
