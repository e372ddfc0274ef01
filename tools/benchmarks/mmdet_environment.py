"""Environment with mmdetection 3.3, beside the one that this runs in, whose PyTorch it shares."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from ictrack.structures.command_line import OutputError

# Leaf of configs/SOLO -> configuration in mmdetection's wheel.
MMDET_CONFIGS = {
    "solo_R_50_FPN_1x": "solo/solo_r50_fpn_1x_coco.py",
    "solo_R_50_FPN_3x": "solo/solo_r50_fpn_3x_coco.py",
    "solo_R_101_FPN_3x": "solo/solo_r101_fpn_8xb8-lsj-200e_coco.py",
    "decoupled_solo_R_50_FPN_1x": "solo/decoupled-solo_r50_fpn_1x_coco.py",
    "decoupled_solo_R_50_FPN_3x": "solo/decoupled-solo_r50_fpn_3x_coco.py",
    "decoupled_solo_light_R_50_FPN_3x": "solo/decoupled-solo-light_r50_fpn_3x_coco.py",
    "solov2_R_50_FPN_1x": "solov2/solov2_r50_fpn_1x_coco.py",
    "solov2_R_50_FPN_3x": "solov2/solov2_r50_fpn_ms-3x_coco.py",
    "solov2_R_101_FPN_3x": "solov2/solov2_r101_fpn_ms-3x_coco.py",
}
# mmcv-lite is mmcv without compiled operators, of which SOLO needs none. What both need besides what ICTrack installs.
_PACKAGES = (
    "mmdet==3.3.0", "mmcv-lite==2.1.0", "mmengine==0.10.7", "yapf", "addict", "rich", "markdown-it-py", "mdurl",
    "pygments", "platformdirs", "terminaltables", "shapely", "six", "tqdm",
)  # fmt: skip


def make_environment(folder: Path) -> Path:
    """Python of an environment with mmdetection; it is made if the folder is none yet.

    Raises:
        OutputError: The packages cannot be installed.
    """
    python = folder / "bin" / "python"
    if (folder / "installed").exists():
        return python
    venv.create(folder, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    (packages / "shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(packages), *_PACKAGES]
    result = subprocess.run(command, capture_output=True, text=True)  # noqa: S603  packages of fixed names
    if result.returncode:
        lines = result.stderr.strip().splitlines()
        raise OutputError(f"{folder}: mmdetection cannot be installed: {lines[-1] if lines else result.returncode}")
    (folder / "installed").touch()
    return python
