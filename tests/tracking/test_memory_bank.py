"""The memory bank's rows, growth and state."""

import io

import numpy as np
import pytest

from ictrack.tracking.memory_bank import MemoryBank


def rows(*ids):
    counts = np.empty(len(ids), dtype=object)
    counts[:] = [b"x" * (i + 1) for i in ids]
    return {"ids": np.array(ids), "boxes": np.array([[i, i, i + 1, i + 1] for i in ids], np.float32), "masks": counts}


def test_rows_survive_growth():
    bank = MemoryBank()
    for i in range(100):
        bank.add(rows(3 * i, 3 * i + 1, 3 * i + 2))
    assert len(bank) == 300
    for name, values in rows(*range(300)).items():
        np.testing.assert_array_equal(bank[name], values)


def test_growth_is_amortised():
    bank, moves = MemoryBank(), 0
    for i in range(1000):
        before = bank["ids"].ctypes.data if i else 0
        bank.add(rows(i))
        moves += before != bank["ids"].ctypes.data
    assert moves <= 12
    assert bank["ids"].base is not None  # a view, not a copy


def test_replace_and_keep():
    bank = MemoryBank()
    bank.add(rows(0, 1, 2, 3))
    bank.replace(np.array([3, 1]), rows(30, 10))
    assert bank["ids"].tolist() == [0, 10, 2, 30]
    bank.keep(np.array([False, True, False, True]))
    bank.add(rows(4))
    assert bank["ids"].tolist() == [10, 30, 4]
    assert bank["boxes"][:, 0].tolist() == [10, 30, 4]


def test_state_goes_through_a_file_without_pickle():
    bank, restored, file = MemoryBank(), MemoryBank(), io.BytesIO()
    bank.add(rows(0, 5, 2))
    np.savez(file, **bank.state_dict())
    file.seek(0)
    restored.load_state_dict(np.load(file, allow_pickle=False))
    for one in (bank, restored):
        one.add(rows(9))
    for name in ("ids", "boxes", "masks"):
        np.testing.assert_array_equal(bank[name], restored[name])
        assert bank[name].dtype == restored[name].dtype


def test_state_is_a_copy():
    bank, restored = MemoryBank(), MemoryBank()
    bank.add(rows(0, 1))
    state = bank.state_dict()
    restored.load_state_dict(state)
    restored.replace(np.array([0]), rows(7))
    bank.replace(np.array([1]), rows(8))
    assert state["ids"].tolist() == [0, 1]


def test_an_empty_bank_can_be_saved():
    restored = MemoryBank()
    restored.load_state_dict(MemoryBank().state_dict())
    restored.add(rows(4))
    assert restored["ids"].tolist() == [4]


def test_rows_that_do_not_fit_are_refused():
    bank = MemoryBank()
    bank.add(rows(0))
    with pytest.raises(ValueError, match="columns and shapes"):
        bank.add({**rows(1), "boxes": np.zeros((1, 5), np.float32)})
    with pytest.raises(ValueError, match="columns and shapes"):
        bank.replace(np.array([0]), {"ids": np.array([1])})
    with pytest.raises(ValueError, match="differ in length"):
        bank.load_state_dict({"ids": np.zeros(2), "boxes": np.zeros((3, 4))})
    assert len(bank) == 1
