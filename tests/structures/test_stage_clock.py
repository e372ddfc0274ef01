"""Seconds by stage, also of parts that are not handed the clock, and of several clocks at once."""

import threading
import time

from ictrack.structures.stage_clock import StageClock, stage_within


def test_a_stage_within_another_counts_once():
    clock, start = StageClock(), time.perf_counter()
    with clock("detect"):
        time.sleep(0.01)
        for seconds in (0.05, 0.02):
            with stage_within("embed"):
                time.sleep(seconds)
    assert clock.seconds["embed"] >= 0.07 and clock.seconds["detect"] >= 0.01
    assert sum(clock.seconds.values()) <= time.perf_counter() - start
    assert set(clock.seconds) == {"embed", "detect"}
    assert "embed 0.1 s" in str(clock)


def test_without_a_clock_nothing_happens():
    with stage_within("embed"):
        pass
    clock = StageClock()
    with clock("detect"):
        pass
    with stage_within("embed"):
        pass
    assert set(clock.seconds) == {"detect"}


def test_each_thread_has_its_own_clock():
    meet, clocks = threading.Barrier(2, timeout=60), [StageClock(), StageClock()]

    def work(number):
        with clocks[number]("detect"):
            meet.wait()
            with stage_within(f"embed {number}"):
                meet.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [set(clock.seconds) for clock in clocks] == [{"detect", "embed 0"}, {"detect", "embed 1"}]
