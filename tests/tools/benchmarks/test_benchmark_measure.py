import pytest

from benchmarks.measure import ProcessError, measure_calls, measure_process


def test_calls():
    seen = []
    figures = measure_calls(seen.append, [1, 2, 3])
    assert seen == [1, 2, 3] and figures["repeats"] == 3
    assert 0 <= figures["median_ms"] <= figures["p90_ms"] <= figures["max_ms"]


@pytest.fixture
def worker(tmp_path):
    def write(body):
        (tmp_path / "measured_worker.py").write_text(
            f"import sys\nfrom benchmarks.measure import finish_measured\n{body}\n"
        )
        return {"PYTHONPATH": str(tmp_path)}

    return write


def test_cpu_time_memory_and_result_of_a_process(worker):
    megabytes = 200
    body = f"block = b'x' * ({megabytes} << 20)\ndel block\nprint('noise')\nfinish_measured(sys.argv[1:])"
    environment = worker(body)
    cost = measure_process("measured_worker", ["a", "b"], environment)
    assert cost.output == ["a", "b"]
    assert cost.cpu_seconds > 0
    assert megabytes < cost.peak_mb < megabytes + 150


def test_a_failed_process_is_an_error_with_its_last_line(worker):
    with pytest.raises(ProcessError, match="measured_worker x: ValueError: no good"):
        measure_process("measured_worker", ["x"], worker("raise ValueError('no good')"))
    with pytest.raises(ProcessError, match="no result"):
        measure_process("measured_worker", ["x"], worker("pass"))
