"""``python -m normlab``, for where the command ``normlab`` is not on the path."""

from normlab.cli.main import main

main()
