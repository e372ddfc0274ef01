import pytest

from ictrack.data.frame_resize import FrameResize


@pytest.mark.parametrize(
    ("size", "expected"), [((60, 80), (30, 40)), ((80, 60), (40, 30)), ((100, 1000), (10, 100)), ((4, 4000), (1, 100))]
)
def test_sizes(size, expected):
    assert FrameResize(30, 100).size_of(*size) == expected
    assert FrameResize(0, 100).size_of(*size) == size
