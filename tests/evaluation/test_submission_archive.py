import gzip
import json
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tiny_video_dataset import ground_truth

from ictrack.evaluation.submission import pack_results, read_results_file, validate_youtube_vis
from ictrack.evaluation.submission.archive import Archive
from ictrack.structures.json_files import MIN_SUSPECT_BYTES, AnnotationError, read_json
from ictrack.structures.rle import encode_mask

RESULTS = [{"video_id": 7, "category_id": 9, "score": 0.5, "segmentations": [None] * 3}]
TEXT = json.dumps(RESULTS).encode()


def zip_of(path, *members):
    """(name or ZipInfo, content) each."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def test_what_is_packed_is_read(tmp_path):
    plain, packed = tmp_path / "out.json", tmp_path / "out.json.gz"
    plain.write_bytes(TEXT)
    packed.write_bytes(gzip.compress(TEXT))
    for source in (plain, packed):
        path = pack_results(source, tmp_path / "sub" / f"{source.name}.zip")
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist() == ["results.json"]
            assert archive.read("results.json") == TEXT
            assert archive.testzip() is None
        assert read_results_file(path) == RESULTS
    assert len({path.read_bytes() for path in (tmp_path / "sub").iterdir()}) == 1
    assert pack_results(plain, tmp_path / "again.ZIP").read_bytes() == path.read_bytes()
    assert read_results_file(tmp_path / "again.ZIP") == RESULTS


def test_what_an_operating_system_adds_does_no_harm(tmp_path):
    members = [("results.json", TEXT), ("__MACOSX/._results.json", b"x"), (".DS_Store", b"x"), ("notes.txt", b"x")]
    assert read_results_file(zip_of(tmp_path / "a.zip", *members)) == RESULTS
    with Archive(zip_of(tmp_path / "b.zip", ("._results.json", b"x"), ("sub/THUMBS.DB", b"x"), *members)) as archive:
        assert archive.names == ["results.json", "notes.txt"]


def link():
    info = zipfile.ZipInfo("results.json")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "holds no results.json"),
        ([("other.json", TEXT)], "holds no results.json"),
        ([("folder/results.json", TEXT)], "'folder/results.json': must lie at the top"),
        ([("results.json", TEXT), ("old/results.json", TEXT)], "holds more than one results.json"),
        ([("results.json", TEXT), ("results.json", TEXT)], "'results.json': is there twice"),
        ([("results.json", TEXT), ("../evil", b"x")], r"'\.\./evil': its path leads out"),
        ([("results.json", TEXT), ("a/../../evil", b"x")], "its path leads out"),
        ([("results.json", TEXT), ("../folder/", b"")], "its path leads out"),
        ([("results.json", TEXT), ("/etc/evil", b"x")], "'/etc/evil': its path leads out"),
        ([("results.json", TEXT), ("..\\evil", b"x")], "its path leads out"),
        ([("results.json", TEXT), ("C:/evil", b"x")], "its path leads out"),
        ([("results.json", TEXT), ("a\\b", b"x")], "a damaged name"),
        ([(link(), b"/etc/passwd")], "'results.json': is a symbolic link"),
        ([("results.json", b"[{]")], "'results.json': not valid JSON, line 1"),
        ([("results.json", b"\xff")], "'results.json': damaged file"),
        ([("results.json", b" " * (MIN_SUSPECT_BYTES + 1))], "'results.json': damaged file: .* bytes unpack to more"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_wrong_zips_are_refused(tmp_path, members, message):
    path = zip_of(tmp_path / "a.zip", *members)
    with pytest.raises(AnnotationError, match=message) as caught:
        read_results_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert_one_error(tmp_path, path)


def assert_one_error(folder, path):
    truth = folder / "gt.json"
    truth.write_text(json.dumps(ground_truth()))
    problems = list(validate_youtube_vis(truth, path))
    assert [problem.severity for problem in problems] == ["error"]
    assert str(path) in str(problems[0]) and str(problems[0]).isprintable()


def damaged(content, **fields):
    """A zip whose local and central headers have other fields: offsets of (local, central, format, value)."""
    data = bytearray(content)
    central = data.index(b"PK\x01\x02")
    places = {"flags": (6, 8, "<H"), "method": (8, 10, "<H"), "crc": (14, 16, "<I"), "size": (22, 24, "<I")}
    for key, value in fields.items():
        local_offset, central_offset, code = places[key]
        struct.pack_into(code, data, local_offset, value)
        struct.pack_into(code, data, central + central_offset, value)
    return bytes(data)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"flags": 1}, "'results.json': is encrypted"),
        ({"method": 99}, "'results.json': damaged member"),
        ({"crc": 1}, "'results.json': damaged member: Bad CRC"),
        ({"size": 10}, "'results.json': damaged member: Bad CRC"),
        ({"size": 2**31}, "'results.json': damaged member: has 86 bytes, not 2147483648"),
    ],
)
def test_damaged_members_are_refused(tmp_path, fields, message):
    path = zip_of(tmp_path / "a.zip", ("results.json", TEXT))
    path.write_bytes(damaged(path.read_bytes(), **fields))
    with pytest.raises(AnnotationError, match=message):
        read_results_file(path)
    assert_one_error(tmp_path, path)


def test_what_is_declared_too_large_is_refused_unread(tmp_path, monkeypatch):
    path = zip_of(tmp_path / "a.zip", ("results.json", TEXT), ("b", b"x"))
    monkeypatch.setattr("ictrack.evaluation.submission.archive.MAX_UNPACKED_BYTES", len(TEXT))
    with pytest.raises(AnnotationError, match=f"unpacks to {len(TEXT) + 1} bytes, more than {len(TEXT)}"):
        read_results_file(path)


def test_every_damaged_byte_of_a_zip_is_refused_or_harmless(tmp_path):
    content = zip_of(tmp_path / "a.zip", ("results.json", TEXT)).read_bytes()
    path = tmp_path / "b.zip"
    num_refused = 0
    for i in range(len(content)):
        for changed in (content[:i], content[:i] + bytes([content[i] ^ 0x55]) + content[i + 1 :]):
            path.write_bytes(changed)
            try:
                assert read_results_file(path) == RESULTS
            except AnnotationError as error:
                assert str(path) in str(error)
                num_refused += 1
    assert num_refused > len(content)


def test_a_gzip_bomb_is_refused(tmp_path):
    path = tmp_path / "results.json.gz"
    path.write_bytes(gzip.compress(b" " * (MIN_SUSPECT_BYTES + 1)))
    with pytest.raises(AnnotationError, match="bytes unpack to more than"):
        read_json(path)
    assert_one_error(tmp_path, path)


def test_no_zip_and_no_file(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(TEXT)
    with pytest.raises(AnnotationError, match="not a zip"):
        read_results_file(path)
    assert_one_error(tmp_path, path)
    with pytest.raises(OSError):
        read_results_file(tmp_path / "none.zip")
    assert_one_error(tmp_path, tmp_path / "none.zip")
    assert_one_error(tmp_path, tmp_path)  # a folder


def test_sizes_are_told_of_large_files(tmp_path, monkeypatch):
    monkeypatch.setattr("ictrack.evaluation.submission.youtube_vis_validation.LARGE_FILE_BYTES", 10)
    (tmp_path / "gt.json").write_text(json.dumps(ground_truth()))
    mask = encode_mask(np.eye(48, 64, dtype=bool))
    results = Path(tmp_path / "results.json")
    results.write_text(json.dumps([{**RESULTS[0], "segmentations": [mask] * 3}]))
    assert [str(p) for p in validate_youtube_vis(tmp_path / "gt.json", results)] == [
        f"warning: {results}: takes 0.0 GiB, which a server may refuse"
    ]
