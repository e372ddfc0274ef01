"""Memory of the kernels that oneDNN, PyTorch's library for convolutions on a CPU, keeps."""

from __future__ import annotations

import os

# oneDNN's own number is 1024.
_FEW = "32"


def keep_few_kernels() -> None:
    """Limit on the kernels that oneDNN keeps in this process, unless the user's environment has one.

    It keeps a kernel and its buffers for every shape that it has seen. Batches of ever other sizes, as those of
    tracklets in a few frames, would fill hundreds of MB. Has an effect before the first convolution only.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _FEW)
