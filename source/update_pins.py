"""Write what is installed into constraints.txt and environment.yml, as `make update` does.

It runs with the Python of a fresh environment that holds everything.
"""

import re
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Not asked for: what installs, and the course itself.
LEFT_OUT = ("normlab", "pip", "setuptools", "wheel")


def installed() -> dict[str, str]:
    """Return the version of each installed package, without what a local build adds to it."""
    versions = {one.metadata["Name"]: one.version.partition("+")[0] for one in distributions()}
    return {name: version for name, version in versions.items() if name not in LEFT_OUT}


def constraints(old: str, versions: dict[str, str]) -> str:
    """Return constraints.txt with these versions, under the comments of the old one."""
    comments = [line for line in old.splitlines() if line.startswith("#")]
    pins = [f"{name}=={version}" for name, version in versions.items()]
    return "\n".join([*comments, *sorted(pins, key=str.lower)]) + "\n"


def conda(old: str, versions: dict[str, str]) -> str:
    """Return environment.yml with each version that it pins brought up to date."""
    new = {name.lower(): version for name, version in versions.items()}
    pin = re.compile(r"^(\s*- )([A-Za-z0-9_.-]+)==(\S+)$", re.MULTILINE)
    return pin.sub(lambda m: f"{m[1]}{m[2]}=={new.get(m[2], m[3])}", old)


def main() -> None:
    """Write both files."""
    versions = installed()
    for name, write in (("constraints.txt", constraints), ("environment.yml", conda)):
        path = ROOT / name
        path.write_text(write(path.read_text(), versions))


if __name__ == "__main__":
    main()
