import builtins
import sys

import pytest

from ictrack import doctor


def test_this_environment_is_sound(capsys):
    assert doctor.main() == 0
    out = capsys.readouterr().out
    assert "FAIL" not in out
    assert out.count("\n") >= len(doctor.CHECKS)


@pytest.mark.parametrize(
    ("module", "check", "advice"),
    [
        ("torch", doctor.check_torch, "setup_env.sh"),
        ("torchvision", doctor.check_torchvision_ops, "pip install torch torchvision"),
        ("detectron2", doctor.check_detectron2, "no-build-isolation"),
        ("av", doctor.check_video, "av"),
        ("cv2", doctor.check_opencv, "opencv-python"),
    ],
)
def test_a_missing_package_gets_advice(monkeypatch, module, check, advice):
    original = builtins.__import__

    def broken(name, *args, **kwargs):
        if name.split(".")[0] == module:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    finding = check()
    assert finding.mark == "FAIL"
    assert advice in finding.advice


def test_a_detectron2_without_trackers_gets_the_command_that_replaces_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "detectron2.tracking", None)  # as in release 0.6
    finding = doctor.check_detectron2()
    assert finding.mark == "FAIL" and "0.6" in finding.detail
    assert "pip uninstall -y detectron2 && bash tools/setup_env.sh" in finding.advice


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def refuse(**kwargs):
        raise PermissionError("Permission denied")

    monkeypatch.setattr(doctor.tempfile, "NamedTemporaryFile", refuse)
    assert doctor.check_write_access().mark == "FAIL"


def test_lap_and_lapx_together(monkeypatch):
    monkeypatch.setattr(doctor, "_installed", lambda name: True)
    finding = doctor.check_assignment_solver()
    assert finding.mark == "note"
    assert "pip uninstall" in finding.advice
