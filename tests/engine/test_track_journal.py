import numpy as np
import pytest

from ictrack.engine.track_journal import RunState, TrackJournal
from ictrack.structures.command_line import OutputError
from ictrack.structures.frame_tracks import FrameTracks, VideoInfo
from ictrack.structures.track_formats.json_lines import frame_line

INFO = VideoInfo("clip", 20, 30, 10.0, ("cat",), (1,))
TRACKER = {"next_id": np.array(7), "memory.boxes": np.arange(8.0).reshape(2, 4)}


def frame(index, score=0.5):
    return FrameTracks(
        index, np.array([score]), np.array([0]), np.array([[0.1, 0, 5, 5]]), np.array([3]), None, None, "", index / 10
    )


def journal_of(folder, frames, state=None, **options):
    journal = TrackJournal(folder / "tracks.json", INFO, **options)
    for one in frames:
        journal.add(one)
    if state is not None:
        journal.save_state(state)
    return journal


def test_frames_are_on_the_disk_at_once(tmp_path):
    journal = journal_of(tmp_path, [frame(0), frame(2)])
    assert journal.path.read_bytes().endswith(frame_line(frame(2)))
    assert [one.index for one in journal.frames()] == [0, 2]
    assert not journal.can_resume
    journal.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_run_goes_on_from_its_state(tmp_path):
    journal_of(tmp_path, [frame(0), frame(1), frame(3)], RunState(3, 2, TRACKER)).close()
    with (tmp_path / "tracks.json.partial.jsonl").open("ab") as file:
        file.write(frame_line(frame(4))[:-9])  # cut off in the middle of a line
    journal = journal_of(tmp_path, [], resume=True)
    assert journal.state is not None and (journal.state.num_frames, journal.state.num_recorded) == (3, 2)
    assert {name: values.tolist() for name, values in journal.state.tracker.items()} == {
        name: values.tolist() for name, values in TRACKER.items()
    }
    assert [one.index for one in journal.frames()] == [0, 1]
    journal.add(frame(3, score=0.25))
    assert [one.scores.tolist() for one in journal.frames()] == [[0.5], [0.5], [0.25]]


def test_without_a_state_a_run_starts_anew(tmp_path):
    journal_of(tmp_path, [frame(0)]).close()
    journal = journal_of(tmp_path, [], resume=True)
    assert journal.state is None and list(journal.frames()) == []


def test_a_new_run_takes_the_place_of_an_old_one(tmp_path):
    journal_of(tmp_path, [frame(0)], RunState(1, 1, TRACKER)).close()
    journal = journal_of(tmp_path, [])
    assert not journal.can_resume and list(journal.frames()) == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines, state: state.write_bytes(b"PK\x03\x04 no archive"), "damaged, the run cannot go on"),
        (lambda lines, state: state.write_bytes(state.read_bytes()[:60]), "damaged, the run cannot go on"),
        (lambda lines, state: lines.write_bytes(lines.read_bytes().replace(b"clip", b"clop")), "is not of this video"),
        (lambda lines, state: lines.write_bytes(lines.read_bytes()[:-5]), "or lacks frames"),
    ],
)
def test_what_cannot_go_on(tmp_path, damage, message):
    journal = journal_of(tmp_path, [frame(0), frame(1)], RunState(2, 2, TRACKER))
    journal.close()
    damage(journal.path, journal.path.with_suffix(".npz"))
    with pytest.raises(OutputError, match=message):
        journal_of(tmp_path, [], resume=True)


def test_a_run_of_another_model_does_not_go_on(tmp_path):
    journal_of(tmp_path, [frame(0)], RunState(1, 1, TRACKER), fingerprint="one").close()
    with pytest.raises(OutputError, match="another input, configuration or checkpoint"):
        journal_of(tmp_path, [], resume=True, fingerprint="other")
    assert journal_of(tmp_path, [], resume=True, fingerprint="one").state is not None
