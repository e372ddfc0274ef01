"""PNG files without the chunks that their pixels do not depend on, which may be huge or damaged."""

from __future__ import annotations

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Optional chunks that the pixels depend on; the others (texts, profiles, dates) may be huge or damaged.
_PNG_OPTIONAL = (b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT")


def bare_png(path: str) -> bytes | None:
    """Bytes of a PNG without the chunks that its pixels do not need; None if it is no PNG, or has no such chunk."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    if not data.startswith(_PNG_SIGNATURE):
        return None
    kept, start = [_PNG_SIGNATURE], len(_PNG_SIGNATURE)
    while start < len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        kind = data[start + 4 : start + 8]
        if kind[:1].isupper() or kind in _PNG_OPTIONAL:
            kept.append(data[start:end])
        start = end
    bare = b"".join(kept)
    return bare if len(bare) < len(data) else None
