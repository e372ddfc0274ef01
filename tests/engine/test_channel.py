import sys
import threading

import pytest

from ictrack.engine.channel import Channel
from ictrack.engine.pipeline import Sink


def test_items_come_in_order_and_wait_for_room():
    channel = Channel(2)
    assert channel.put(1) and channel.put(2)
    assert not channel.put(3, timeout=0.01)
    channel.put_beyond(4)
    assert [channel.get(), channel.get(), channel.get()] == [1, 2, 4]
    assert channel.put(5, timeout=0.01) and channel.get() == 5


class Interruption:
    """KeyboardInterrupt in the calling thread at one of the instructions of what it calls, as Ctrl-C may raise it."""

    def __init__(self, at):
        self.left = at

    def __call__(self, frame, event, argument):
        frame.f_trace_opcodes = True
        if event in ("opcode", "return"):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self)

    def __exit__(self, *exception):
        sys.settrace(self.before)


def interrupted_sink(at):
    """What a sink consumed of which the caller was interrupted at an instruction; None: it never ended."""
    seen = []
    sink = Sink(seen.append, "save")
    sink.put(0)
    try:
        with Interruption(at):
            sink.put(1)
    except KeyboardInterrupt:
        pass
    closing = threading.Thread(target=sink.close, daemon=True)
    closing.start()
    closing.join(5)
    return None if closing.is_alive() else seen


@pytest.mark.parametrize("first", range(1, 61, 6))
def test_ctrl_c_at_any_instruction_leaves_a_sink_able_to_finish(first):
    for at in range(first, first + 6):
        assert interrupted_sink(at) in ([0], [0, 1])


def test_instructions_are_interrupted_at_all():
    seen = [interrupted_sink(at) for at in (1, 100_000)]
    assert seen == [[0], [0, 1]]
