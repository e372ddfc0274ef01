from __future__ import annotations

import logging

import pytest
import torch

from ictrack.modeling import mixed_precision
from ictrack.modeling.mixed_precision import autocast, cpu_has_bfloat16, supports


@pytest.fixture(autouse=True)
def ask_again():
    """What was found out about the CPU is forgotten before and after each test."""

    def forget():
        mixed_precision.cpu_has_bfloat16.cache_clear()
        mixed_precision._logged_cpu_has_bfloat16.cache_clear()

    forget()
    yield
    forget()


def cpu(monkeypatch, capabilities: dict[str, bool], slowdown: float | None) -> None:
    """A CPU with these instructions; ``slowdown`` None: it must not be timed."""

    def timed() -> float:
        assert slowdown is not None, "timed without need"
        return slowdown

    monkeypatch.setattr(mixed_precision, "_capabilities", lambda: capabilities)
    monkeypatch.setattr(mixed_precision, "_bfloat16_slowdown", timed)


@pytest.mark.parametrize(
    ("capabilities", "slowdown", "expected"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, None, False),
        ({"avx512_bf16": True, "amx_bf16": False}, 0.6, True),
        ({"avx512_bf16": True, "amx_bf16": True}, 14.0, False),  # the libraries are limited to fewer instructions
        ({}, 0.7, True),  # unknown: an older PyTorch
        ({}, 12.0, False),
    ],
)
def test_the_hardware_is_asked_and_timed_where_it_may_have_bfloat16(monkeypatch, capabilities, slowdown, expected):
    cpu(monkeypatch, capabilities, slowdown)
    assert cpu_has_bfloat16() is expected


def test_a_request_that_the_cpu_cannot_meet_runs_in_float32_with_one_line(monkeypatch, caplog):
    cpu(monkeypatch, {"avx512_bf16": False}, None)
    layer = torch.nn.Linear(2, 2)
    with caplog.at_level(logging.INFO, logger="ictrack.modeling.mixed_precision"):
        for _ in range(3):
            with autocast("cpu", True):
                assert layer(torch.zeros(1, 2)).dtype == torch.float32
    assert [record.getMessage() for record in caplog.records] == [
        "mixed precision is off: this CPU has no bfloat16 instructions; running in float32"
    ]


def test_nothing_is_asked_where_mixed_precision_is_off(monkeypatch, caplog):
    cpu(monkeypatch, {"avx512_bf16": False}, None)
    with caplog.at_level(logging.INFO), autocast("cpu", False):
        assert torch.nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == torch.float32
    assert not caplog.records


def test_a_cpu_with_bfloat16_uses_it(monkeypatch):
    cpu(monkeypatch, {"avx512_bf16": True}, 0.5)
    with autocast("cpu", True):
        assert torch.nn.Linear(2, 2)(torch.zeros(1, 2)).dtype == torch.bfloat16
    assert not supports("cpu", torch.float16)


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_bfloat16_on_gpus_since_ampere(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert supports("cuda", torch.bfloat16) is expected
    assert supports("cuda", torch.float16)


def test_the_timed_convolution_is_real():
    assert mixed_precision._bfloat16_slowdown() > 0.01
