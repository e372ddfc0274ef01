#!/usr/bin/env bash
# From a fresh clone to a trained tracker, a table and a report in output/quickstart or output/quickstart_pose.
#   bash tools/quickstart.sh [--task masks|pose] [--seed N] [--output DIR] [--real-clip DIR] [KEY VALUE ...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck disable=SC1091
source tools/setup_env.sh
# Threads that wait leave the core to others, see ictrack/command/waiting.py.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
python -W ignore projects/ICTrack/quickstart.py "$@"
