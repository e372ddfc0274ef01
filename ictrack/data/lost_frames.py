"""Frames that a damaged video file does not give, told by the times and places of its packets."""

from __future__ import annotations

from .codecs import av

# Format whose demuxer leaves damaged stretches out without a word, and which states how long it is.
_MATROSKA = "matroska"
# Most bytes between two packets that follow each other: headers of blocks and clusters.
_MAX_HEADER = 4096
# Seconds by which a file may end before its stated duration.
_TOLERANCE = 0.2


class LostFrames:
    """Frames of a stream that do not come out of its decoder, between those that do.

    Where a packet is damaged, the decoder may give nothing until the next keyframe. The packets in between tell which
    frames these would have been. Packets of streams without times count as one frame each.
    """

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream) -> None:
        """
        Args:
            container: Open file.
            stream: Its stream of pictures, of whose frames this is told.
        """
        self._is_matroska = _MATROSKA in container.format.name
        self._duration = container.duration / av.time_base if container.duration else 0.0
        self._stream = stream
        self._unit = float(stream.time_base or 0)
        self._waiting: list[int] = []  # times of packets whose frames have not come yet
        self._failed: list[int] = []  # those of them at which something was lost
        self._num_timeless = 0
        self._newest: int | None = None
        self._place: int | None = None  # where the last packet ended
        self._has_hole = False
        self._end = 0.0

    def add(self, packet: av.Packet) -> None:
        """Note a packet of any stream of the file, before it is decoded."""
        if not packet.size:
            return
        if packet.pts is not None and packet.time_base is not None:
            self._end = max(self._end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if self._is_matroska and packet.pos is not None:
            self._has_hole |= self._place is not None and packet.pos > self._place + _MAX_HEADER
            self._place = packet.pos + packet.size
        if packet.stream.index != self._stream.index or packet.is_discard or packet.pts is None:
            return
        if self._has_hole and self._newest is not None:
            self._add_hole(self._newest, packet.pts)
        self._has_hole = False
        self._newest = packet.pts if self._newest is None else max(self._newest, packet.pts)
        self._waiting.append(packet.pts)

    def _add_hole(self, start: int, end: int) -> None:
        """Note the frames between two packets of which the file should have held more, at its usual rate."""
        if not self._stream.average_rate or not self._unit:
            return
        period = 1 / float(self._stream.average_rate) / self._unit
        times = [start + round(i * period) for i in range(1, round((end - start) / period))]
        self._waiting += times
        self._failed += times[:1]

    def fail(self, packet: av.Packet) -> None:
        """Note that a packet could not be decoded."""
        if packet.pts is None:
            self._num_timeless += 1
        elif not packet.is_discard:
            self._failed.append(packet.pts)

    def before(self, time: int | None) -> list[float | None]:
        """Times of the frames that are lost before a frame that has come.

        Args:
            time: Time of that frame, in units of the stream; None: it has none.

        Returns:
            Seconds of each lost frame, ascending; None where they are not known.
        """
        lost: list[float | None] = [None] * self._num_timeless
        self._num_timeless = 0
        if time is None:
            lost += [None] * len(self._failed)
            self._failed, self._waiting = [], []
            return lost
        if any(failed < time for failed in self._failed):
            self._failed = [failed for failed in self._failed if failed > time]
            lost += [waiting * self._unit for waiting in sorted(self._waiting) if waiting < time]
        self._waiting = [waiting for waiting in self._waiting if waiting > time]
        return lost

    def at_end(self) -> list[float | None]:
        """Times of the frames that are lost after the last one that came, see :meth:`before`."""
        return self.before(max(self._waiting, default=0) + 1)

    @property
    def ends(self) -> tuple[float, float] | None:
        """Seconds at which the file ends and at which it should; None unless it is cut off."""
        if self._is_matroska and self._end + _TOLERANCE < self._duration:
            return self._end, self._duration
        return None
