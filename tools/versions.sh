#!/usr/bin/env bash
# Tests with other versions than the usual ones, in a new environment in FOLDER.
#
#   bash tools/versions.sh oldest FOLDER                the oldest versions that pyproject.toml allows (tools/oldest.txt)
#   bash tools/versions.sh evaluation FOLDER PYTHON     file formats and metrics alone, without PyTorch and Detectron2,
#                                                       with the newest versions for an interpreter: python3.9, ...
#   bash tools/versions.sh oldest-evaluation FOLDER     the same with the oldest versions
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
what="$1" folder="$2" python="${3:-python3}"

"$python" -m venv "$folder"
# shellcheck disable=SC1091
source "$folder/bin/activate"
cd "$root"
case "$what" in
  oldest)
    export PIP_CONSTRAINT="$root/tools/oldest.txt"
    # shellcheck disable=SC1091
    ICTRACK_TORCH="torch==2.4.0 torchvision==0.19.0" source tools/setup_env.sh
    pip install --quiet --no-compile hypothesis lap motmetrics==1.4.0 "pandas<2.1" "pyarrow<18" pytest pytest-xdist
    # Its metrics need NumPy and SciPy alone; what it asks for beyond is newer than the oldest versions.
    pip install --quiet --no-compile --no-deps trackeval
    set -- tests/losses tests/tracking tests/structures tests/checkpoint tests/evaluation/metrics tests/identities \
      tests/modeling/solo tests/modeling/test_{mixed_precision,winograd}.py tests/data tests/visualization tests/exploits
    ;;
  evaluation | oldest-evaluation)
    more=(pyarrow opencv-python-headless)
    if [ "$what" = oldest-evaluation ]; then
      export PIP_CONSTRAINT="$root/tools/oldest.txt"
      more=("pyarrow<18" "pandas<2.1" opencv-python)
    fi
    pip install --quiet numpy scipy "pycocotools>=2.0.8"
    # What tests need beyond: pictures, and the tools whose numbers are compared.
    pip install --quiet hypothesis motmetrics==1.4.0 Pillow pytest pytest-xdist "${more[@]}"
    pip install --quiet tabulate tqdm && pip install --quiet --no-deps trackeval
    set -- --ignore tests/structures/test_categories.py tests/structures tests/evaluation/metrics tests/evaluation/test_light_imports.py \
      tests/evaluation/test_submission.py tests/evaluation/test_submission_archive.py \
      tests/evaluation/test_fuzz_youtube_vis.py tests/evaluation/test_fuzz_posetrack.py
    ;;
  *)
    echo "usage: bash tools/versions.sh oldest|evaluation|oldest-evaluation FOLDER [PYTHON]" >&2
    exit 2
    ;;
esac
python -m pytest -q -p no:cacheprovider -n 2 --dist worksteal "$@"
