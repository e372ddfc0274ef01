import pickle
import resource

import numpy as np
import pytest
import torch
from torch import nn

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.checkpoint.weights_file import CheckpointError, load_weights_file


class Malicious:
    def __reduce__(self):
        return (print, ("code ran",))


def test_round_trip_and_atomic_write(tmp_path):
    model = nn.Linear(2, 3)
    SafeCheckpointer(model, str(tmp_path)).save("model_0000001", iteration=1)
    other = nn.Linear(2, 3)
    extra = SafeCheckpointer(other, str(tmp_path)).resume_or_load("", resume=True)
    assert torch.equal(other.weight, model.weight)
    assert extra["iteration"] == 1
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("suffix", ["pth", "pkl"])
def test_refuses_code(tmp_path, suffix, capsys):
    path = tmp_path / f"evil.{suffix}"
    if suffix == "pkl":
        path.write_bytes(pickle.dumps({"model": Malicious()}))
    else:
        torch.save({"model": Malicious()}, path)
    with pytest.raises(CheckpointError, match="evil"):
        load_weights_file(path)
    assert "code ran" not in capsys.readouterr().out


def test_reads_arrays_from_a_pickle(tmp_path):
    path = tmp_path / "zoo.pkl"
    weights = {"weight": np.arange(6, dtype=np.float32).reshape(3, 2), "bias": np.zeros(3, np.float32)}
    path.write_bytes(pickle.dumps({"model": weights, "__author__": "someone"}))
    model = nn.Linear(2, 3)
    SafeCheckpointer(model).load(str(path))
    assert model.weight[2, 1] == 5


def test_a_truncated_last_checkpoint_falls_back(tmp_path, caplog):
    model = nn.Linear(2, 3)
    checkpointer = SafeCheckpointer(model, str(tmp_path))
    checkpointer.save("model_0000001")
    expected = model.weight.detach().clone()
    nn.init.zeros_(model.weight)
    checkpointer.save("model_0000002")
    damaged = tmp_path / "model_0000002.pth"
    damaged.write_bytes(damaged.read_bytes()[:-200])

    restored = nn.Linear(2, 3)
    SafeCheckpointer(restored, str(tmp_path)).resume_or_load("", resume=True)
    assert torch.equal(restored.weight, expected)
    assert "model_0000002.pth" in caplog.text


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "model_0000001.pth").write_bytes(b"no checkpoint")
    (tmp_path / "last_checkpoint").write_text("model_0000001.pth")
    with pytest.raises(CheckpointError, match="none of its checkpoints"):
        SafeCheckpointer(nn.Linear(1, 1), str(tmp_path)).resume_or_load("", resume=True)


def test_missing_file_and_wrong_content(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        load_weights_file(tmp_path / "absent.pth")
    path = tmp_path / "list.pth"
    torch.save([1, 2], path)
    with pytest.raises(CheckpointError, match="not a dictionary"):
        load_weights_file(path)


@pytest.fixture
def full_disk():
    """The disk takes no file above 20 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_keeps_the_last_whole_checkpoint(tmp_path, full_disk):
    SafeCheckpointer(nn.Linear(2, 3), str(tmp_path)).save("model_0000001")
    with pytest.raises(CheckpointError, match=r"model_0000002\.pth: cannot be written \(.*model_0000001\.pth is whole"):
        SafeCheckpointer(nn.Linear(100, 100), str(tmp_path)).save("model_0000002")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last_checkpoint", "model_0000001.pth"]
    SafeCheckpointer(nn.Linear(2, 3), str(tmp_path)).resume_or_load("", resume=True)
    with pytest.raises(CheckpointError, match="there is no other"):
        SafeCheckpointer(nn.Linear(100, 100), str(tmp_path / "new")).save("model_0000001")


def test_faults_of_the_program_are_not_the_disks(tmp_path):
    with pytest.raises(AttributeError):
        SafeCheckpointer(nn.Linear(2, 3), str(tmp_path)).save("model_0000001", content=lambda: 0)


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / ".model_0000001.pth.999999999.part").write_bytes(b"half")
    SafeCheckpointer(nn.Linear(2, 3), str(tmp_path)).save("model_0000001")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last_checkpoint", "model_0000001.pth"]


def test_a_name_with_a_folder(tmp_path):
    checkpointer = SafeCheckpointer(nn.Linear(2, 3), str(tmp_path))
    checkpointer.save("model_0000001")
    checkpointer.save("before/model_0000002")
    assert (tmp_path / "last_checkpoint").read_text() == "model_0000001.pth"
    assert (tmp_path / "before" / "last_checkpoint").read_text() == "model_0000002.pth"
