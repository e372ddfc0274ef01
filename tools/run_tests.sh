#!/usr/bin/env bash
# The project's tests: style, types, import rules, unit, property, golden, parity and end-to-end tests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck disable=SC1091
ICTRACK_TESTS=1 source tools/setup_env.sh
python -m ictrack.doctor
ruff check .
ruff format --check .
mypy & # half a minute, on one core
types=$!
NO_MKDOCS_2_WARNING=1 mkdocs build --strict
wait "$types"
python -m pytest -n 2 --dist worksteal "$@"
