import threading
import time
import weakref

import pytest

from ictrack.engine.pipeline import DEPTH, Prefetcher, Sink
from ictrack.structures.stage_clock import StageClock


class Item:
    pass


def test_items_come_in_order_and_ahead_of_the_consumer_by_a_few():
    taken = []

    def items():
        for i in range(50):
            taken.append(i)
            yield i

    clock = StageClock()
    with Prefetcher(items(), clock, "decode") as prefetcher:
        for i, item in enumerate(prefetcher):
            assert item == i
            time.sleep(0.001)
            assert len(taken) <= i + DEPTH + 2
    assert taken == list(range(50)) and clock.seconds["decode"] >= 0
    assert "decode 0.0 s" in str(clock)


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_error_of_the_source_comes_after_the_items_before_it(kind):
    def items():
        yield from range(5)
        raise kind("broken")

    with Prefetcher(items(), StageClock(), "decode") as prefetcher:
        iterator = iter(prefetcher)
        assert [next(iterator) for _ in range(5)] == list(range(5))
        with pytest.raises(kind, match="broken"):
            next(iterator)


def test_a_consumer_that_stops_ends_the_thread():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield Item()
        finally:
            closed.set()

    before = threading.active_count()
    source = items()
    with Prefetcher(source, StageClock(), "decode") as prefetcher:
        next(iter(prefetcher))
    assert threading.active_count() == before
    source.close()  # no other thread runs it any more
    assert closed.is_set()


def test_nothing_is_kept_of_an_item_after_its_turn():
    kept = []
    with Prefetcher((Item() for _ in range(9)), StageClock(), "decode") as prefetcher:
        for item in prefetcher:
            kept.append(weakref.ref(item))
            del item
            assert all(ref() is None for ref in kept[:-1])


def test_a_sink_consumes_in_order_beside_the_caller_and_finishes():
    seen, threads = [], set()

    def consume(item):
        threads.add(threading.current_thread())
        time.sleep(0.001)
        seen.append(item)

    with Sink(consume, "draw") as sink:
        for i in range(30):
            sink.put(i)
    assert seen == list(range(30)) and threading.current_thread() not in threads


def test_a_sink_finishes_what_it_was_given_when_the_caller_is_interrupted():
    seen = []
    with pytest.raises(KeyboardInterrupt), Sink(seen.append, "draw") as sink:
        sink.put(1)
        sink.put(2)
        raise KeyboardInterrupt
    assert seen == [1, 2]


def test_an_error_of_a_sink_reaches_the_caller_once():
    seen = []

    def consume(item):
        if item == 2:
            raise ValueError("disk full")
        seen.append(item)

    with pytest.raises(ValueError, match="disk full"), Sink(consume, "encode") as sink:
        for i in range(100):
            sink.put(i)
        pytest.fail("the error must come before the end")
    assert seen == [0, 1]
    sink.close()


def test_an_error_at_the_last_item_is_raised_by_close():
    def consume(item):
        raise ValueError("disk full")

    sink = Sink(consume, "encode")
    sink.put(0)
    with pytest.raises(ValueError, match="disk full"):
        sink.close()


def test_flush_waits_for_what_was_put():
    seen = []

    def consume(item):
        time.sleep(0.01)
        seen.append(item)
        if item == 3:
            raise ValueError("disk full")

    with Sink(consume, "save") as sink:
        sink.put(1)
        sink.put(2)
        sink.flush()
        assert seen == [1, 2]
        sink.put(3)
        with pytest.raises(ValueError, match="disk full"):
            sink.flush()


def test_stages_overlap():
    """Item i is drawn while item i + 1 is detected and item i + 2 is decoded: all three wait for each other."""
    num_items = 20
    meeting = threading.Barrier(3)

    def meet(item, first):
        if first <= item < num_items - 2 + first:
            meeting.wait(timeout=20)

    def decoded():
        for item in range(num_items):
            meet(item, 2)
            yield item

    with (
        Prefetcher(decoded(), StageClock(), "decode") as prefetcher,
        Sink(lambda item: meet(item, 0), "draw") as sink,
    ):
        for item in prefetcher:
            meet(item, 1)
            sink.put(item)
