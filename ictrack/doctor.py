"""``python -m ictrack.doctor``: is this machine ready for ICTrack, and if not, what to do about it."""

from __future__ import annotations

import importlib
import io
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@dataclass(frozen=True)
class Finding:
    """What one check found. ``advice`` says in plain words what to do; it is empty when all is well."""

    name: str
    detail: str
    advice: str = ""
    #: Only an optional part of ICTrack suffers.
    optional: bool = False

    @property
    def mark(self) -> str:
        if not self.advice:
            return "ok"
        return "note" if self.optional else "FAIL"


def check_python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    advice = "" if sys.version_info >= (3, 9) else "install Python 3.9 or newer"
    return Finding("Python", found, advice)


def check_evaluation_packages() -> Finding:
    missing = [name for name in ("numpy", "scipy", "pycocotools") if not _importable(name)]
    if missing:
        return Finding("evaluation", f"cannot import {', '.join(missing)}", f"pip install {' '.join(missing)}")
    if Path(sys.modules["pycocotools"].__path__[0], "ytvos.py").exists():
        return Finding(
            "evaluation",
            "pycocotools was overwritten by the YouTube-VIS fork",
            "pip install --force-reinstall --no-deps pycocotools (ICTrack does not need the fork)",
            optional=True,
        )
    return Finding("evaluation", f"numpy {version('numpy')}, scipy {version('scipy')}")


def check_torch() -> Finding:
    try:
        import torch
    except ImportError as error:
        return Finding("PyTorch", str(error), "pip install torch torchvision, or bash tools/setup_env.sh")
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 4):
        return Finding(
            "PyTorch", torch.__version__, "ICTrack needs PyTorch 2.4 or newer: pip install -U torch torchvision"
        )
    device = f"{torch.cuda.device_count()} GPU" if torch.cuda.is_available() else "CPU only"
    return Finding("PyTorch", f"{torch.__version__}, {device}")


def check_mixed_precision() -> Finding:
    try:
        import torch

        from ictrack.modeling.mixed_precision import supports
    except Exception as error:  # of an installation that other checks find broken
        return Finding("mixed precision", str(error).splitlines()[0], "see the lines on PyTorch and Detectron2", True)
    if torch.cuda.is_available():
        detail = "float16" if not supports("cuda", torch.bfloat16) else "float16 and bfloat16"
    elif supports("cpu", torch.bfloat16):
        detail = "bfloat16"
    else:
        detail = "off: this CPU has no bfloat16 instructions; everything runs in float32"
    return Finding("mixed precision", detail)


def check_torchvision_ops() -> Finding:
    try:
        import torch
        from torchvision.ops import deform_conv2d, nms, roi_align

        nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.ones(1), 0.5)
        roi_align(torch.zeros(1, 1, 4, 4), torch.tensor([[0.0, 0.0, 0.0, 2.0, 2.0]]), (2, 2))
        deform_conv2d(torch.zeros(1, 1, 3, 3), torch.zeros(1, 18, 3, 3), torch.zeros(1, 1, 3, 3), padding=1)
    except ModuleNotFoundError as error:
        return Finding("torchvision operators", str(error), "pip install torch torchvision, or bash tools/setup_env.sh")
    except (ImportError, RuntimeError) as error:
        return Finding(
            "torchvision operators",
            str(error).splitlines()[0],
            "torch and torchvision do not belong together: install the pair of versions listed at "
            "https://github.com/pytorch/vision#installation",
        )
    return Finding("torchvision operators", f"torchvision {version('torchvision')}")


def check_detectron2() -> Finding:
    try:
        import detectron2
        import detectron2.tracking
    except AttributeError as error:  # names that Pillow 10 (Image.LINEAR) and NumPy 1.24 (np.bool) dropped
        return Finding(
            "Detectron2",
            str(error),
            "this Detectron2 is older than the installed Pillow or NumPy: pip install 'Pillow<10' 'numpy<1.24', or "
            "pip uninstall detectron2 and run bash tools/setup_env.sh",
        )
    except ImportError as error:
        if getattr(error, "name", None) == "detectron2.tracking":
            return Finding(
                "Detectron2",
                f"{detectron2.__version__} has no detectron2.tracking, which the main branch got after release 0.6",
                "pip uninstall -y detectron2 && bash tools/setup_env.sh puts a copy of the main branch in its place",
            )
        return Finding(
            "Detectron2",
            str(error),
            "bash tools/setup_env.sh installs a pure-Python copy; to build the original: pip install "
            "--no-build-isolation 'git+https://github.com/facebookresearch/detectron2' (without "
            "--no-build-isolation its build ends in: No module named 'torch')",
        )
    compiled = _importable("detectron2._C")
    return Finding(
        "Detectron2",
        f"{detectron2.__version__}, compiled operators {'present' if compiled else 'absent'}",
        "" if compiled else "nothing to do: only rotated boxes and Detectron2's own deformable convolution need them",
        optional=True,
    )


def check_model_zoo() -> Finding:
    try:
        importlib.import_module("detectron2.model_zoo")
    except ImportError as error:
        advice = "pip install 'setuptools<81'" if "pkg_resources" in str(error) else "see the line on Detectron2"
        return Finding("Detectron2 model zoo", str(error), advice, optional=True)
    return Finding("Detectron2 model zoo", "importable")


def check_registration() -> Finding:
    try:
        from ictrack import add_ictrack_config  # noqa: F401
    except Exception as error:  # whatever a broken installation raises
        return Finding("ICTrack", f"{type(error).__name__}: {error}", "bash tools/setup_env.sh")
    return Finding("ICTrack", "models, trackers and data sets are registered with Detectron2")


def check_video() -> Finding:
    try:
        import av
        import numpy as np

        with av.open(io.BytesIO(), mode="w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width = stream.height = 16
            stream.pix_fmt = "yuv420p"
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    except Exception as error:  # a build of FFmpeg without a codec raises its own kinds
        advice = "pip install --force-reinstall --only-binary=:all: av"
        return Finding("video", f"{type(error).__name__}: {error}", advice)
    return Finding("video", f"PyAV {av.__version__} writes H.264")


def check_opencv() -> Finding:
    try:
        import cv2
    except ImportError as error:
        advice = "pip install opencv-python-headless" if "libGL" in str(error) else "pip install opencv-python"
        return Finding("OpenCV", str(error), advice)
    return Finding("OpenCV", cv2.__version__)


def check_assignment_solver() -> Finding:
    both = _installed("lap") and _installed("lapx")
    return Finding(
        "linear assignment",
        "lap and lapx overwrite each other" if both else "SciPy",
        "pip uninstall -y lap lapx && pip install lap" if both else "",
        optional=True,
    )


def check_write_access() -> Finding:
    try:
        with tempfile.NamedTemporaryFile(dir="."):
            pass
    except OSError as error:
        return Finding("write access", str(error), "run from a folder that you may write to, or set OUTPUT_DIR")
    return Finding("write access", "the current folder")


CHECKS: tuple[Callable[[], Finding], ...] = (
    check_python,
    check_evaluation_packages,
    check_torch,
    check_torchvision_ops,
    check_mixed_precision,
    check_detectron2,
    check_model_zoo,
    check_opencv,
    check_video,
    check_assignment_solver,
    check_write_access,
    check_registration,
)


def main() -> int:
    """Print a line a check. Returns 1 if a part that ICTrack cannot do without is broken."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        findings = [check() for check in CHECKS]
    for finding in findings:
        print(f"{finding.mark:>4}  {finding.name}: {finding.detail}")
        if finding.advice:
            print(f"      -> {finding.advice}")
    return int(any(finding.mark == "FAIL" for finding in findings))


def _importable(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
