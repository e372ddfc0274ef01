"""Settings of the online tracker, from the identities of a video."""

from types import SimpleNamespace

import numpy as np
import pytest

from ictrack.engine.online_settings import _clip, online_settings
from ictrack.engine.settings_file import with_settings
from ictrack.engine.setup import load_config
from ictrack.engine.whole_video import WholeVideo
from ictrack.identities import Links, Tracklet
from ictrack.model_zoo import config_path
from ictrack.structures.frame_tracks import FrameTracks, VideoInfo
from ictrack.tracking import build_tracker
from ictrack.tracking.replay import replay

NUM_FRAMES, MISSING = 80, range(38, 42)
COSINE = "TRACKER_HEADS.EMBEDDING.NEW_OBJECT_COSINE"


def identified(num_objects, noise, every=1):
    """Objects that are all away for a moment, each then another tracklet. Single frames' embeddings are noisy."""
    rng = np.random.default_rng(0)
    shown = [frame for frame in range(NUM_FRAMES) if frame not in MISSING]
    boxes = np.array([[20 * i, 0, 20 * i + 10, 10] for i in range(num_objects)], dtype=float)
    scores, classes = np.ones(num_objects), np.zeros(num_objects, dtype=np.int64)
    frames = [FrameTracks(index, scores, classes, boxes) for index in shown]
    tracklets = [
        Tracklet(np.array(span), np.full(len(span), row))
        for span in (shown[: MISSING.start], shown[MISSING.start :])
        for row in range(num_objects)
    ]
    identities = np.tile(np.arange(num_objects), 2)
    embeddings = []
    for tracklet, identity in zip(tracklets, identities):
        vectors = np.eye(64)[identity] + noise * rng.normal(size=(len(tracklet.thinned(every)), 64)) / 8
        embeddings.append((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
    info = VideoInfo("video", 10, 100, 25.0, ("animal",), ())
    footage = WholeVideo(info, frames, {}, None, may_merge=False)
    links = Links(identities, np.ones(len(identities)), np.full(len(identities), -1))
    return SimpleNamespace(footage=footage, tracklets=tracklets, every=every, embeddings=embeddings, links=links)


@pytest.fixture(scope="module")
def cfg():
    return load_config(str(config_path("plain_background.yaml")), ["MODEL.DEVICE", "cpu"])


@pytest.mark.parametrize("every", [1, 2])
def test_noisy_frames_continue_their_tracks(cfg, every):
    """Cosines of one object are about 0.5 here: a threshold for means, which are near 1, would make each frame new."""
    result = identified(4, noise=1.0, every=every)
    settings = online_settings(result, cfg)
    assert settings["TRACKER_HEADS.TRACKER_NAME"] == "EmbeddingTracker"
    assert settings[COSINE] < 0.4


def test_objects_that_look_alike_in_a_frame_keep_their_identities(cfg):
    """Two of them hardly differ in single frames; places and means over frames tell them apart."""
    result = identified(3, noise=1.0)
    alike = np.eye(64, dtype=np.float32)[0]
    result.embeddings = [x + 4 * alike for x in result.embeddings]
    result.embeddings = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in result.embeddings]
    clip = _clip(result)
    share = []
    for settings in ({"TRACKER_HEADS.TRACKER_NAME": "EmbeddingTracker"}, online_settings(result, cfg)):
        agreeing, total = replay(build_tracker(with_settings(cfg, settings), 0, 0), clip, 1)
        share.append(agreeing / total)
    assert share[0] < 0.5 and share[1] > 0.95


def test_open_tracklets_say_nothing(cfg):
    result = identified(4, noise=1.0)
    chosen = online_settings(result, cfg)
    more = identified(4, noise=1.0)
    more.tracklets += [Tracklet(np.array([2, 3]), np.array([0, 0]))]
    more.embeddings += [np.eye(64, dtype=np.float32)[:2]]
    more.links = Links(np.append(more.links.identities, -1), np.append(more.links.probabilities, 0.3), np.full(9, -1))
    assert online_settings(more, cfg) == chosen


def test_one_object_keeps_the_given_settings(cfg):
    settings = online_settings(identified(1, noise=1.0), cfg)
    assert settings["TRACKER_HEADS.TRACKER_NAME"] == "EmbeddingTracker" and COSINE not in settings
