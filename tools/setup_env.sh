#!/usr/bin/env bash
# Installs ICTrack and what the quick-start needs, with ICTRACK_TESTS=1 also what the tests need. Safe to run again.
#
# Uses the active virtual environment (or conda environment); makes and uses .venv in the project's folder when none
# is active. A Detectron2 that can be imported is used as it is (the main branch: release 0.6 has no
# detectron2.tracking, and is refused); otherwise the Python part of
# sal-detectron2, a copy of Detectron2's main branch (Apache-2.0), is put in place without a compiler.
#
#   source tools/setup_env.sh      installs and leaves the environment active
#   bash tools/setup_env.sh        installs
#
# ICTRACK_TORCH overrides the versions, e.g. ICTRACK_TORCH="torch==2.6.0 torchvision==0.21.0".

ictrack_setup() {
  local root python site extras
  root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
  if [ -z "${VIRTUAL_ENV:-}" ] && [ -z "${CONDA_PREFIX:-}" ]; then
    [ -f "$root/.venv/bin/activate" ] || python3 -m venv "$root/.venv" || return 1
    # shellcheck disable=SC1091
    source "$root/.venv/bin/activate" || return 1
  fi
  python="$(command -v python)"
  export PIP_DISABLE_PIP_VERSION_CHECK=1
  export PIP_NO_WARN_SCRIPT_LOCATION=1
  # Where bytecode is not kept, as some container images have it, each of many processes compiles PyTorch and Detectron2
  # from source again, which takes longer than all else that it does at its start.
  unset PYTHONDONTWRITEBYTECODE
  extras="detectron2-dependencies,sample${ICTRACK_TESTS:+,test}"

  # Detectron2's model zoo imports pkg_resources, which setuptools 81 dropped; before 71 it builds no wheels by itself.
  "$python" -c 'import setuptools, sys; sys.exit(not 71 <= int(setuptools.__version__.split(".")[0]) < 81)' 2>/dev/null ||
    "$python" -m pip install --quiet "setuptools>=71,<81" || return 1
  if ! "$python" -c 'import torch, torchvision' 2>/dev/null; then
    echo "setup: installing PyTorch (about a minute) ..."
    # shellcheck disable=SC2086
    "$python" -m pip install --quiet --no-compile ${ICTRACK_TORCH:-torch==2.14.1 torchvision==0.29.1} || return 1
  fi
  if ! "$python" "$root/tools/check_install.py" "$root" "$extras"; then
    echo "setup: installing ICTrack and its dependencies ($extras) ..."
    "$python" -m pip install --quiet --no-compile --no-build-isolation -e "$root[$extras]" || return 1
  fi
  if "$python" -c 'import detectron2' 2>/dev/null && ! "$python" -c 'import detectron2.tracking' 2>/dev/null; then
    echo "setup: the installed Detectron2 (release 0.6 or older) has no detectron2.tracking, which the main branch has:" \
      "pip uninstall -y detectron2, then run this again for a copy that has it" >&2
    return 1
  fi
  if ! "$python" -c 'import detectron2' 2>/dev/null; then
    echo "setup: no Detectron2 found; installing the Python part of sal-detectron2 0.7.2 ..."
    site="$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')"
    # Its wheel is tagged for CPython 3.10 because of a compiled part that ICTrack does not need.
    "$python" -m pip install --quiet --no-compile --no-deps --only-binary=:all: --python-version 3.10 --implementation cp \
      --target "$site" --require-hashes -r "$root/tools/detectron2.txt" 2>&1 | grep -v -i -e '^warning' -e 'dependency resolver' -e '^sal-detectron2 0' || true
    "$python" -c 'import detectron2' || return 1
  fi
}

ictrack_setup || { echo "setup failed: see the message above; python -m ictrack.doctor explains known breakages" >&2; (return 0 2>/dev/null) && return 1 || exit 1; }
