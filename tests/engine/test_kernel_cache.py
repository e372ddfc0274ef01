import os

from ictrack.engine.kernel_cache import keep_few_kernels

NAME = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"


def test_the_environment_of_the_user_is_kept(monkeypatch):
    monkeypatch.setenv(NAME, "7")
    keep_few_kernels()
    assert os.environ[NAME] == "7"


def test_few_are_kept_otherwise(monkeypatch):
    monkeypatch.setenv(NAME, "")  # so that what is set is taken back
    monkeypatch.delenv(NAME)
    keep_few_kernels()
    assert 1 <= int(os.environ[NAME]) < 1024
