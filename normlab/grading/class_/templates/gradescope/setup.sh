#!/usr/bin/env bash
# Runs once, as root, when Gradescope builds the image. Ubuntu 22.04 has Python 3.10: uv brings a
# newer one, to a place that is not root's alone.
set -euo pipefail
source="${NORMLAB_AUTOGRADER:-/autograder}/source"
home="$(dirname "$source")"

apt-get update
apt-get install -y --no-install-recommends python3-venv libseccomp2
python3 -m venv "$home/tools"
"$home/tools/bin/pip" install uv
export UV_PYTHON_INSTALL_DIR="$home/python"
"$home/tools/bin/uv" venv --python 3.12 "$home/venv"
"$home/tools/bin/uv" pip install --python "$home/venv/bin/python" --torch-backend cpu "$source"
