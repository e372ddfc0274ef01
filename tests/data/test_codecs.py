import os
import subprocess
import sys

import pytest

FORK = """
import gc, os, sys
import numpy as np
from ictrack.data.codecs import av
gc.disable()
container = av.open(sys.argv[1], "w", format="mp4")
stream = container.add_stream("libx264", rate=25)
stream.width = stream.height = 320
stream.thread_count = 4
for _ in range(8):
    stream.encode(av.VideoFrame.from_ndarray(np.zeros((320, 320, 3), np.uint8)))
ring = [stream, container]
ring.append(ring)
del ring, stream, container
child = os.fork()
if not child:
    gc.collect()
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked there")
def test_an_encoder_that_nobody_holds_does_not_block_a_forked_process(tmp_path):
    """Its garbage collection would wait for the encoder's threads, which are not there."""
    command = [sys.executable, "-c", FORK, str(tmp_path / "v.mp4")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "7", done.stderr
