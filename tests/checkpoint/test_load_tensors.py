"""Files of weights of every kind, whole and damaged; none of them runs code."""

import io
import pickle
import random
import sys
import tracemalloc
import types
import zipfile

import numpy as np
import pytest
import tiny_onnx
import torch
from safetensors.torch import save_file

from fuzzing.damage import time_limit
from ictrack.checkpoint import CheckpointError, load_tensors
from ictrack.checkpoint.arrays_unpickler import _TORCH_VERSION

WEIGHTS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.count": np.array(7)}


class Malicious:
    def __reduce__(self):
        return (print, ("code ran",))


def write(path, weights=WEIGHTS):
    """A file of the kind of its suffix."""
    tensors = {name: torch.from_numpy(np.asarray(x)) for name, x in weights.items()}
    if path.suffix == ".pth":
        torch.save({"meta": {"epoch": 3}, "state_dict": tensors}, path)
    elif path.suffix == ".safetensors":
        save_file(tensors, path)
    elif path.suffix == ".npz":
        np.savez(path, **weights)
    elif path.suffix == ".pkl":
        path.write_bytes(pickle.dumps({"model": weights, "__author__": "x"}))
    else:
        path.write_bytes(tiny_onnx.model([], [tiny_onnx.tensor(name, x) for name, x in weights.items()], [], []))
    return path


SUFFIXES = [".pth", ".safetensors", ".npz", ".pkl", ".onnx"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_gives_the_same_tensors(suffix, tmp_path):
    read = load_tensors(write(tmp_path / f"w{suffix}"))
    assert sorted(read) == sorted(WEIGHTS)
    for name, x in WEIGHTS.items():
        assert read[name].shape == x.shape and np.array_equal(read[name].numpy(), x)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_truncated_and_foreign_files_are_named(suffix, tmp_path):
    path = write(tmp_path / f"w{suffix}")
    whole = path.read_bytes()
    for content in (whole[: len(whole) * 2 // 3], b"", b"<!DOCTYPE html><html>not found</html>"):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=rf"w\{suffix}: (cannot be read as a checkpoint|holds no weights)"):
            load_tensors(path)
    with pytest.raises(CheckpointError, match="no such file"):
        load_tensors(tmp_path / f"none{suffix}")


@pytest.mark.parametrize("suffix", [".pth", ".npz"])
def test_a_changed_byte_in_an_archive_is_found(suffix, tmp_path):
    path = write(tmp_path / f"w{suffix}")
    content = path.read_bytes()
    path.write_bytes(content.replace(np.float32(5).tobytes(), np.float32(6).tobytes(), 1))
    with pytest.raises(CheckpointError, match=rf"w\{suffix}: (is damaged: .*data/\d|cannot be read)"):
        load_tensors(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damage_anywhere_is_a_declared_error(suffix, tmp_path):
    path = write(tmp_path / f"w{suffix}")
    whole = path.read_bytes()
    for seed in range(80):
        rng = random.Random(seed)
        at, end = sorted(rng.randrange(len(whole)) for _ in range(2))
        changed = bytes([whole[at] ^ 1 << rng.randrange(8)])
        path.write_bytes(rng.choice([whole[:at] + changed + whole[at + 1 :], whole[:at] + whole[end:]]))
        with time_limit():
            try:
                load_tensors(path)
            except CheckpointError as error:
                assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


def test_no_code_is_run(tmp_path, capsys):
    bad = {"a": Malicious()}
    torch.save(bad, tmp_path / "w.pth")
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(bad))
    np.savez(tmp_path / "w.npz", a=np.array(Malicious(), dtype=object))
    (tmp_path / "old.pth").write_bytes(pickle.dumps(bad))
    for name in ("w.pth", "w.pkl", "w.npz", "old.pth"):
        with pytest.raises(CheckpointError, match=name) as error:
            load_tensors(tmp_path / name)
        assert "\n" not in str(error.value)
        if name in ("w.pth", "w.pkl"):
            assert "refused, because it asks for" in str(error.value) and "print" in str(error.value)
    assert "code ran" not in capsys.readouterr().out


class Type:
    """A pickle of NumPy's type with flags of its own."""

    def __init__(self, name, flags):
        self._description = name, flags

    def __reduce__(self):
        name, flags = self._description
        return (np.dtype, (name, False, True), (3, "|", None, None, None, -1, -1, flags))


class Typed:
    """A pickle of an array of bytes whose type says that its objects are plain numbers, or the reverse."""

    def __init__(self, name, flags):
        self._type = Type(name, flags)

    def __reduce__(self):
        return (np.zeros(1).__reduce_ex__(5)[0], (b"A" * 16, self._type, (2,), "C"))


@pytest.mark.parametrize(("name", "flags"), [("O", 0), ("O8", 0), ("O", 63), ("V8", 0), ("U2", 0), ("M8", 0)])
def test_bytes_do_not_become_objects(name, flags, tmp_path):
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"a": Typed(name, flags)}))
    with pytest.raises(CheckpointError, match=rf"w\.pkl: .*arrays of {name} are no weights"):
        load_tensors(tmp_path / "w.pkl")


def test_flags_of_numbers_are_not_taken_from_the_file(tmp_path):
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({"a": Typed("i8", 63)}))
    assert load_tensors(tmp_path / "w.pkl")["a"].tolist() == [int.from_bytes(b"A" * 8, "little")] * 2


@pytest.mark.filterwarnings("error:The given NumPy array is not writable")
def test_read_only_arrays_are_copied_one_by_one(tmp_path):
    """Those that are read-only when they are pickled become bytes in pickle's protocol 5."""
    arrays = {f"a{i}": np.full(2**18, i, np.float32) for i in range(8)}
    for array in arrays.values():
        array.flags.writeable = False
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"model": arrays}, protocol=5))
    tracemalloc.start()
    try:
        tensors = load_tensors(tmp_path / "a.pkl")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8.5 * 2**20 + 2**20
    for i, tensor in enumerate(tensors.values()):
        tensor += 1
        assert torch.equal(tensor, torch.full((2**18,), i + 1.0))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_kinds_of_arrays_in_a_pickle(protocol, tmp_path):
    arrays = {
        "big": np.arange(3, dtype=">f4"),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "half": np.array([1.5], np.float16),
        "flag": np.array([True, False]),
        "scalar": np.float32(2.5),
        "none": np.zeros((0, 3)),
        "objects": None,
    }
    (tmp_path / "w.pkl").write_bytes(pickle.dumps({k: v for k, v in arrays.items() if v is not None}, protocol))
    read = load_tensors(tmp_path / "w.pkl")
    assert all(np.array_equal(read[name].numpy(), x) for name, x in arrays.items() if x is not None)
    arrays = {"objects": np.array([{}, 1], object)}
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(arrays, protocol))
    with pytest.raises(CheckpointError, match=r"w\.pkl: cannot be read .*UnpicklingError"):
        load_tensors(tmp_path / "w.pkl")


@pytest.fixture
def history_buffer(monkeypatch):
    """mmengine's class of that name, as a checkpoint names it."""
    module = types.ModuleType("mmengine.logging.history_buffer")
    exec("class HistoryBuffer:\n    pass", module.__dict__)
    for name in ("mmengine", "mmengine.logging", module.__name__):
        monkeypatch.setitem(sys.modules, name, module)
    return module.HistoryBuffer


@pytest.mark.skipif(_TORCH_VERSION < (2, 6), reason="this PyTorch cannot give names to other classes")
def test_the_log_in_checkpoints_of_mmengine_is_passed_over(history_buffer, tmp_path):
    log = history_buffer()
    log.__dict__.update(_log_history=np.array([0.5, 0.25]), _count_history=np.array([1, 1]), last=np.float64(3))
    content = {"message_hub": {"log_scalars": {"train/loss": log}}, "state_dict": {"a": torch.ones(2)}}
    torch.save(content, tmp_path / "w.pth")
    assert load_tensors(tmp_path / "w.pth")["a"].tolist() == [1, 1]


def test_other_objects_beside_the_weights_are_refused(tmp_path, capsys):
    torch.save({"message_hub": Malicious(), "state_dict": {"a": torch.ones(2)}}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"refused, because it asks for .*print"):
        load_tensors(tmp_path / "w.pth")
    torch.save({"message_hub": np.array([{}], object), "state_dict": {"a": torch.ones(2)}}, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"w\.pth: "):
        load_tensors(tmp_path / "w.pth")
    assert "code ran" not in capsys.readouterr().out


def test_onnx_data_in_other_files_are_refused(tmp_path):
    inside = b"".join(tiny_onnx.field(*x) for x in ((1, 2), (2, 1), (8, "a"), (14, 1)))
    entry = tiny_onnx.field(13, tiny_onnx.field(1, "location") + tiny_onnx.field(2, "../../secret"))
    (tmp_path / "w.onnx").write_bytes(tiny_onnx.model([], [inside + entry], [], []))
    with pytest.raises(CheckpointError, match="the data of a are in another file"):
        load_tensors(tmp_path / "w.onnx")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (((1, 2), (2, 1), (4, np.array([1.5, 2], "<f4").tobytes()), (8, "a")), [1.5, 2]),
        (((1, 2), (2, 11), (10, np.array([1.5, 2], "<f8").tobytes()), (8, "a")), [1.5, 2]),
        (((1, b"\x02"), (2, 7), (7, b"\x05" + b"\xff" * 9 + b"\x01"), (8, "a")), [5, -1]),
        (((2, 7), (7, 3), (8, "a")), 3),
        (((1, 2), (2, 10), (8, "a"), (9, np.array([1, 2], "<f2").tobytes())), [1, 2]),
    ],
)
def test_onnx_forms_of_data(fields, expected, tmp_path):
    tensor = b"".join(tiny_onnx.field(*x) for x in fields)
    (tmp_path / "w.onnx").write_bytes(tiny_onnx.model([], [tensor], [], []))
    assert load_tensors(tmp_path / "w.onnx")["a"].tolist() == expected


@pytest.mark.parametrize(
    "fields", [((1, 3), (2, 1), (8, "a"), (9, b"1234")), ((1, 1), (2, 8), (8, "a")), ((1, 1 << 40), (2, 1), (8, "a"))]
)
def test_onnx_damage(fields, tmp_path):
    tensor = b"".join(tiny_onnx.field(*x) for x in fields)
    (tmp_path / "w.onnx").write_bytes(tiny_onnx.model([], [tensor], [], []))
    with pytest.raises(CheckpointError, match="cannot be read as a checkpoint"):
        load_tensors(tmp_path / "w.onnx")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": float("nan")}, "a holds values that are not finite"),
        ({"a": "text"}, "a is a str, not a tensor"),
        ({"a": {"b": 1}}, "a is a dict, not a tensor"),
        ({}, "holds no weights"),
        ([1], "holds a list, not a dictionary"),
    ],
)
def test_what_is_no_weights(content, message, tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"model": content} if isinstance(content, dict) else content, path)
    with pytest.raises(CheckpointError, match=rf"w\.pth: {message}"):
        load_tensors(path)


def test_wrappers(tmp_path):
    x = torch.ones(2)
    for index, content in enumerate(
        ({"a": x}, {"model": {"a": x}}, {"state_dict": {"module.a": x}}, {"model_state_dict": {"a": x}})
    ):
        torch.save(content, tmp_path / f"{index}.pth")
        assert list(load_tensors(tmp_path / f"{index}.pth")) == ["a"]
    (tmp_path / "d.pkl").write_bytes(pickle.dumps({"blobs": {"conv1_w": np.ones(2)}}))
    assert list(load_tensors(tmp_path / "d.pkl")) == ["conv1_w"]


def test_a_zip_that_is_no_checkpoint(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../evil.txt", "x")
    (tmp_path / "w.pth").write_bytes(buffer.getvalue())
    (tmp_path / "w.npz").write_bytes(buffer.getvalue())
    for name in ("w.pth", "w.npz"):
        with pytest.raises(CheckpointError, match=name):
            load_tensors(tmp_path / name)
    assert not (tmp_path.parent / "evil.txt").exists()


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_name_of_any_length_is_refused_at_once(is_zip, tmp_path):
    # PyTorch's error message would search in it for minutes.
    content = b"ctorch\n" + b"9" * 200_000 + b"\n."
    if is_zip:
        with zipfile.ZipFile(tmp_path / "w.pth", "w") as archive:
            archive.writestr("w/data.pkl", content)
            archive.writestr("w/version", "3\n")
    else:
        pickles = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
        (tmp_path / "w.pth").write_bytes(b"".join([*pickles, content]))
    with time_limit(), pytest.raises(CheckpointError, match=r"w\.pth: .*asks for a name of 200006 characters"):
        load_tensors(tmp_path / "w.pth")
