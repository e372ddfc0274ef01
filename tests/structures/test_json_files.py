"""JSON as people have it: packed, with a byte order mark, in another encoding; and damage that is named."""

import codecs
import gzip
import io
import json
import zipfile

import pytest

from ictrack.structures.json_files import AnnotationError, read_json

CONTENT = {"counts": [3, 4, 5], "name": "Möwe", "list": [1, 2.5, None]}
PLAIN = json.dumps(CONTENT, ensure_ascii=False).encode()


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__slash__", "/"), content)
    return buffer.getvalue()


FORMS = {
    "plain.json": PLAIN,
    "mark.json": codecs.BOM_UTF8 + PLAIN,
    "powershell.json": PLAIN.decode().encode("utf-16"),
    "big_endian.json": codecs.BOM_UTF16_BE + PLAIN.decode().encode("utf-16-be"),
    "packed.json.gz": gzip.compress(PLAIN, mtime=0),
    "marked_and_packed.json.gz": gzip.compress(codecs.BOM_UTF8 + PLAIN, mtime=0),
    "UPPER.JSON.GZ": gzip.compress(PLAIN, mtime=0),
    "packed_but_not_called_so.json": gzip.compress(PLAIN, mtime=0),
    "unpacked_by_a_browser.json.gz": PLAIN,
    "zipped.zip": zipped(**{"instances.json": PLAIN}),
    "zipped_by_a_mac.json.zip": zipped(**{"folder/instances.json": PLAIN, "__MACOSX/folder/._instances.json": b"\0"}),
    "zipped_twice.zip": zipped(**{"instances.json.gz": gzip.compress(codecs.BOM_UTF8 + PLAIN, mtime=0)}),
}


@pytest.mark.parametrize("pack_runs", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_every_form_is_read(tmp_path, name, pack_runs):
    (tmp_path / name).write_bytes(FORMS[name])
    content = read_json(tmp_path / name, pack_runs=pack_runs)
    assert {**content, "counts": list(content["counts"])} == CONTENT


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.json", b"", "not valid JSON"),
        ("mark_alone.json", codecs.BOM_UTF8, "not valid JSON"),
        ("latin1.json", '{"name": "Möwe"}'.encode("latin-1"), "damaged"),
        ("half_a_character.json", codecs.BOM_UTF16_LE + b"[", "damaged"),
        ("cut.json", gzip.compress(PLAIN, mtime=0)[:-9], "damaged"),
        ("cut.zip", zipped(**{"a.json": PLAIN})[:-30], "damaged"),
        ("two.zip", zipped(**{"train.json": PLAIN, "val.json": PLAIN}), "2 JSON files"),
        ("none.zip", zipped(**{"README.md": b"hello"}), "0 JSON files"),
        ("bomb.json", gzip.compress(b" " * 2**26, mtime=0), "unpack to more than"),
    ],
)
def test_damage_is_named(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AnnotationError, match=message) as caught:
        read_json(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name)) and "\n" not in str(caught.value)
