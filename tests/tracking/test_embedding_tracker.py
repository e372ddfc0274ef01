"""The embedding tracker: its rules one by one, and all together against a reference in plain loops."""

import io
import math

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.structures import BitMasks, Boxes, Instances
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ictrack.config import add_ictrack_config
from ictrack.tracking import EmbeddingTracker, SpatialTracker, TrackerInputError
from ictrack.tracking.build import build_tracker

# Unit vectors of the plane, by degrees.
RIGHT, UP, LEFT = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]


def at(degrees):
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


def ids(tracked):
    assert tracked.ID.dtype == torch.int64
    return tracked.ID.tolist()


@pytest.fixture
def make_tracker(make_cfg):
    return lambda *options: EmbeddingTracker(make_cfg(*options))


class TestRules:
    def test_identities_follow_embeddings(self, make_tracker, make_detections):
        tracker = make_tracker()
        assert ids(tracker.update(make_detections([RIGHT, UP]))) == [0, 1]
        assert ids(tracker.update(make_detections([at(100), at(5)]))) == [1, 0]
        assert ids(tracker.update(make_detections([LEFT, at(-5)]))) == [2, 0]

    def test_length_of_embeddings_is_of_no_account(self, make_tracker, make_detections):
        tracker = make_tracker()
        tracker.update(make_detections([[100.0, 0.0], [0.0, 0.01]]))
        assert ids(tracker.update(make_detections([[0.0, 50.0], [0.02, 0.0]]))) == [1, 0]

    def test_one_track_and_one_detection_may_be_a_new_object(self, make_tracker, make_detections):
        """Cosine 0.3 (72.5 degrees) is below the dummy's 0.5; cosine 0.8 (36.9 degrees) above."""
        for degrees, expected in ((72.5, [1]), (36.9, [0])):
            tracker = make_tracker()
            tracker.update(make_detections([RIGHT]))
            assert ids(tracker.update(make_detections([at(degrees)]))) == expected

    def test_literal_form_cannot_declare_it(self, make_tracker, make_detections):
        tracker = make_tracker("EMBEDDING.DUMMY", False)
        tracker.update(make_detections([RIGHT]))
        assert ids(tracker.update(make_detections([LEFT]))) == [0]

    def test_momentum_is_the_weight_of_the_new_embedding(self, make_tracker, make_detections):
        tracker = make_tracker()
        tracker.update(make_detections([RIGHT]))
        tracker.update(make_detections([[0.6, 0.8]]))
        blend = np.array([0.3 + 0.7 * 0.6, 0.7 * 0.8])
        np.testing.assert_allclose(tracker.memory["embeddings"], [blend / np.linalg.norm(blend)], rtol=1e-6)

    def test_memory_takes_the_newest_box_category_and_score(self, make_tracker, make_detections):
        tracker = make_tracker()
        tracker.update(make_detections([RIGHT], scores=[0.9], classes=[3]))
        tracker.update(make_detections([RIGHT], scores=[0.5], classes=[4], boxes=[[1.0, 2.0, 3.0, 4.0]]))
        assert tracker.memory["classes"].tolist() == [4]
        assert tracker.memory["scores"].tolist() == [0.5]
        assert tracker.memory["boxes"].tolist() == [[1, 2, 3, 4]]

    @pytest.mark.parametrize(("score", "expected"), [(0.6, [0, 1]), (0.4, [0])])
    def test_loser_of_a_conflict_is_new_or_dropped(self, make_tracker, make_detections, score, expected):
        """Cosines 1 and 0.9 with the only track; without a column softmax in its way, both accept it."""
        tracker = make_tracker("EMBEDDING.MATCH_THRESHOLD", 0.3)
        tracker.update(make_detections([RIGHT]))
        tracked = tracker.update(make_detections([RIGHT, at(25)], scores=[0.9, score]))
        assert ids(tracked) == expected

    def test_the_best_similarity_keeps_a_contested_track_whatever_the_detection_score(
        self, make_tracker, make_detections
    ):
        tracker = make_tracker("EMBEDDING.MATCH_THRESHOLD", 0.3)
        tracker.update(make_detections([RIGHT]))
        assert ids(tracker.update(make_detections([at(25), RIGHT], scores=[0.99, 0.5]))) == [1, 0]

    def test_gates_on_the_detection_score(self, make_tracker, make_detections):
        tracker = make_tracker()
        tracked = tracker.update(make_detections([RIGHT, UP, LEFT], scores=[0.05, 0.2, 0.3]))
        assert ids(tracked) == [0] and tracked.scores.tolist() == pytest.approx([0.3])
        tracked = tracker.update(make_detections([RIGHT, LEFT], scores=[0.09, 0.11]))
        assert ids(tracked) == [0] and tracked.scores.tolist() == pytest.approx([0.11])

    def test_only_the_best_detections_enter(self, make_tracker, make_detections):
        tracker = make_tracker("MAX_DETECTIONS", 2)
        tracked = tracker.update(make_detections([RIGHT, UP, LEFT], scores=[0.6, 0.5, 0.7]))
        assert ids(tracked) == [0, 1] and tracked.embeddings.tolist() == [RIGHT, LEFT]

    @pytest.mark.parametrize(("max_age", "expected"), [(0, 0), (1, 1), (2, 1), (3, 0)])
    def test_max_age_counts_frames_without_a_match(self, make_tracker, make_detections, max_age, expected):
        """Two frames without the object, the first of them empty."""
        tracker = make_tracker("MAX_AGE", max_age)
        tracker.update(make_detections([RIGHT]))
        tracker.update(make_detections([]))
        tracker.update(make_detections([LEFT], scores=[0.2]))
        assert ids(tracker.update(make_detections([RIGHT]))) == [expected]

    def test_empty_frames(self, make_tracker, make_detections):
        tracker = make_tracker()
        for nothing in (make_detections([]), Instances((100, 200))):
            tracked = tracker.update(nothing)
            assert ids(tracked) == [] and len(tracked) == 0
        without_embeddings = make_detections(scores=[])
        assert ids(tracker.update(without_embeddings)) == []
        tracker.update(make_detections([RIGHT]))
        assert ids(tracker.update(make_detections([]))) == []
        assert ids(tracker.update(make_detections([RIGHT]))) == [0]

    def test_reset(self, make_tracker, make_detections):
        tracker = make_tracker()
        tracker.update(make_detections([RIGHT, UP]))
        tracker.reset()
        assert len(tracker.memory) == 0
        assert ids(tracker.update(make_detections([UP]))) == [0]

    def test_hungarian(self, make_tracker, make_detections):
        """Similarities .72 and .57 of the first detection, .67 and 0 of the second, threshold .5."""
        frames = [[RIGHT, at(50)], [at(15), at(-25)]]
        for assignment, expected in (("score_order", [0, 2]), ("hungarian", [1, 0])):
            tracker = make_tracker("EMBEDDING.ASSIGNMENT", assignment)
            for frame in frames:
                tracked = tracker.update(make_detections(frame))
            assert ids(tracked) == expected, assignment


class TestPostProcessing:
    def test_category_is_a_veto(self, make_tracker, make_detections):
        for enabled, expected in ((False, [0]), (True, [1])):
            tracker = make_tracker("POST_PROCESSING.ENABLED", enabled)
            tracker.update(make_detections([RIGHT], classes=[0]))
            assert ids(tracker.update(make_detections([RIGHT], classes=[1]))) == expected

    @pytest.mark.parametrize("form", ["linear", "log"])
    def test_iou_adds_to_a_weak_similarity(self, make_tracker, make_detections, form):
        """Cosine 0.4 gives sim 0.27; + 0.5 IoU (linear) or log .27 + 2 IoU (log) passes 0.5 with IoU 1 alone."""
        here, there = [[10.0, 10.0, 30.0, 30.0]], [[60.0, 10.0, 80.0, 30.0]]
        options = ["POST_PROCESSING.ENABLED", True, "POST_PROCESSING.FORM", form]
        options += ["POST_PROCESSING.BETA", 0.5 if form == "linear" else 2.0]
        for box, expected in ((here, [0]), (there, [1])):
            tracker = make_tracker(*options)
            tracker.update(make_detections([RIGHT], boxes=here))
            assert ids(tracker.update(make_detections([at(66.4)], boxes=box))) == expected

    def test_confidence_orders_a_conflict(self, make_tracker, make_detections):
        second = ([at(20), at(-21)], [0.2, 0.9])
        for enabled, expected in ((False, [0, 1]), (True, [0])):
            tracker = make_tracker("POST_PROCESSING.ENABLED", enabled, "EMBEDDING.MATCH_THRESHOLD", 0.3)
            tracker.update(make_detections([RIGHT]))
            tracked = tracker.update(make_detections(*second))
            assert ids(tracked) == expected
        assert tracked.scores.tolist() == pytest.approx([0.9])  # the other one lost and is too weak for a new track


class TestInput:
    def test_every_field_survives(self, make_tracker, make_detections):
        masks = BitMasks(torch.eye(3, 20000).reshape(3, 100, 200) > 0)
        frame = make_detections(
            [RIGHT, UP, LEFT],
            scores=[0.9, 0.01, 0.8],
            pred_masks=masks,
            pred_keypoints=torch.arange(3 * 17 * 3.0).reshape(3, 17, 3),
            grid_cells=torch.arange(9).reshape(3, 3),
            names=["a", "b", "c"],
        )
        fields = set(frame.get_fields())
        tracked = make_tracker().update(frame)
        assert set(tracked.get_fields()) == fields | {"ID"} and not frame.has("ID")
        assert isinstance(tracked.pred_boxes, Boxes) and isinstance(tracked.pred_masks, BitMasks)
        assert torch.equal(tracked.pred_masks.tensor, masks.tensor[[0, 2]])
        assert torch.equal(tracked.pred_keypoints, frame.pred_keypoints[[0, 2]])
        assert tracked.grid_cells.tolist() == [[0, 1, 2], [6, 7, 8]] and tracked.names == ["a", "c"]

    def test_half_precision_with_gradient(self, make_tracker, make_detections):
        frame = make_detections(scores=[0.9, 0.8])
        frame.embeddings = torch.tensor([RIGHT, UP], dtype=torch.bfloat16, requires_grad=True)
        assert ids(make_tracker().update(frame)) == [0, 1]

    def test_missing_and_broken_fields_are_named(self, make_tracker, make_detections):
        tracker = make_tracker()
        tracker.update(make_detections([RIGHT]))
        for frame, message in (
            (make_detections(scores=[0.9]), r"frame 1: .*no field `embeddings`: set MODEL.EMBEDDING.NAME"),
            (make_detections([UP, [float("nan"), 0.0]]), r"frame 1: `embeddings` is NaN or infinite in rows \[1\]"),
            (make_detections([[1.0, 0.0, 0.0]]), r"frame 1: .*\(3,\).*\(2,\)"),
            (Instances((100, 200), scores=torch.ones(1)), "frame 1: .*`pred_classes`"),
            (
                make_detections([UP], boxes=[[0.0, 0.0, float("nan"), 9.0]]),
                r"`pred_boxes` is NaN or infinite in rows \[0\]",
            ),
            (make_detections([0.5, 0.5]), r"frame 1: `embeddings` has the shape \(2,\), must be \(N, D\)"),
        ):
            with pytest.raises(TrackerInputError, match=message):
                tracker.update(frame)
        assert ids(tracker.update(make_detections([UP, RIGHT]))) == [1, 0]  # the state was left alone

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("MAX_DETECTIONS", 0),
            ("MAX_AGE", -1),
            ("MAX_SPEED", -1.0),
            ("NEW_TRACK_MAX_OVERLAP", 1.5),
            ("EMBEDDING.MOMENTUM", 1.5),
            ("EMBEDDING.ASSIGNMENT", "best"),
        ],
    )
    def test_impossible_configurations_are_refused(self, make_tracker, key, value):
        with pytest.raises(ValueError, match=key):
            make_tracker(key, value)

    def test_embeddings_may_be_arrays_or_lists(self, make_tracker, make_detections):
        tracker = make_tracker()
        for embeddings in (np.array([RIGHT, UP]), [RIGHT, UP], torch.tensor([RIGHT, UP]).bfloat16()):
            found = make_detections(scores=[0.9, 0.9])
            found.set("embeddings", embeddings)
            assert ids(tracker.update(found)) == [0, 1]

    def test_the_state_of_another_tracker_is_refused(self, make_tracker, make_cfg, make_detections):
        spatial = SpatialTracker(make_cfg())
        spatial.update(make_detections([RIGHT]))
        with pytest.raises(ValueError, match="compares positions by distance, not embeddings"):
            make_tracker().load_state_dict(spatial.state_dict())

    def test_a_state_that_is_none_is_refused(self, make_tracker):
        with pytest.raises(ValueError, match="next_id"):
            make_tracker().load_state_dict({"frame": np.array(3)})


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def interval_iou(one, other):  # of boxes of equal height
    (a, b), (x, y) = one, other
    common = max(0.0, min(b, y) - max(a, x))
    return common / ((b - a) + (y - x) - common)


class ReferenceTracker:
    """The rules once more, independently: plain loops, double precision, proposals instead of sorting."""

    def __init__(self, heads):
        self.heads, self.tracks, self.next_id, self.frame = heads, {}, 0, 0
        self.doubt = math.inf  # smallest difference between scores that were compared

    def score(self, n, m, detections):  # s(n, m) and s_new(n)
        emb, post = self.heads.EMBEDDING, self.heads.POST_PROCESSING
        dummy = [emb.SCALE * emb.NEW_OBJECT_COSINE] if emb.DUMMY else []
        new, old = detections[n]["z"], self.tracks[m]["z"]
        row = [emb.SCALE * dot(new, track["z"]) for track in self.tracks.values()] + dummy
        column = [emb.SCALE * dot(detection["z"], old) for detection in detections.values()] + dummy
        e = math.exp(emb.SCALE * dot(new, old))
        sim = 0.5 * (e / sum(map(math.exp, row)) + e / sum(map(math.exp, column)))
        if not post.ENABLED:
            return sim, emb.MATCH_THRESHOLD
        log = math.log if post.FORM == "log" else float
        c = post.ALPHA * log(detections[n]["score"])
        iou = interval_iou(detections[n]["x"], self.tracks[m]["x"])
        same = post.GAMMA * (detections[n]["class"] == self.tracks[m]["class"])
        new = 0 if post.FORM == "fixed" else c + post.GAMMA
        return log(sim) + c + post.BETA * iou + same, log(emb.MATCH_THRESHOLD) + new

    def update(self, frame):
        """[(row, id)] of a list of detections {"z", "score", "class", "x"}."""
        heads = self.heads
        ranked = sorted((-d["score"], n) for n, d in enumerate(frame) if d["score"] >= heads.MIN_SCORE)
        detections = {n: frame[n] for n in sorted(n for _, n in ranked[: heads.MAX_DETECTIONS])}
        for seen in (list(detections.values()), list(self.tracks.values())):  # equals have tests of their own
            equal = any(dot(a["z"], b["z"]) > 0.998 for i, a in enumerate(seen) for b in seen[:i])
            self.doubt = 0.0 if equal else self.doubt
        s, wanted, holder, waiting = {}, {}, {}, list(detections)
        for n in detections:
            for m in self.tracks:
                s[n, m], new = self.score(n, m, detections)
                self.doubt = min([self.doubt, abs(s[n, m] - new)] + [abs(s[n, m] - s[p]) for p in s if p != (n, m)])
                wanted.setdefault(n, []).extend([m] if s[n, m] >= new else [])
        proposals = {n: sorted(tracks, key=lambda m: -s[n, m]) for n, tracks in wanted.items()}
        while waiting:
            n = waiting.pop()
            if proposals.get(n):
                m = proposals[n].pop(0)
                if m not in holder or s[n, m] > s[holder[m], m]:
                    n, holder[m] = holder.get(m), n
                waiting += [] if n is None else [n]
        result = {n: m for m, n in holder.items()}
        taken, limit = dict(result), heads.NEW_TRACK_MAX_OVERLAP
        for n, d in sorted(detections.items(), key=lambda item: -item[1]["score"]):
            gate = heads.CONFLICT_NEW_TRACK_SCORE if wanted.get(n) else heads.NEW_TRACK_SCORE
            overlaps = [interval_iou(d["x"], detections[other]["x"]) for other in taken]
            if n not in result and d["score"] >= gate and all(iou <= limit for iou in overlaps):
                taken[n] = None
                self.doubt = min([self.doubt] + [abs(iou - limit) for iou in overlaps])
        for n in sorted(set(taken) - set(result)):
            result[n], self.next_id = self.next_id, self.next_id + 1
        for n, m in result.items():
            w, z = heads.EMBEDDING.MOMENTUM, detections[n]["z"]
            if m in self.tracks:
                z = [w * a + (1 - w) * b for a, b in zip(z, self.tracks[m]["z"])]
                z = [a / math.hypot(*z) for a in z]
            self.tracks[m] = {**detections[n], "z": z, "last": self.frame}
        self.frame += 1
        if heads.MAX_AGE:
            self.tracks = {m: t for m, t in self.tracks.items() if self.frame - t["last"] <= heads.MAX_AGE}
        return sorted(result.items())


def configuration(draw):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    heads = cfg.TRACKER_HEADS
    heads.MAX_DETECTIONS = draw(st.sampled_from([2, 5]))
    heads.MAX_AGE = draw(st.sampled_from([0, 1, 2]))
    heads.NEW_TRACK_MAX_OVERLAP = draw(st.sampled_from([0.3, 1.0]))
    heads.EMBEDDING.SCALE = draw(st.sampled_from([3.0, 10.0]))
    heads.EMBEDDING.DUMMY = draw(st.booleans())
    heads.EMBEDDING.MATCH_THRESHOLD = draw(st.sampled_from([0.2, 0.5]))
    heads.EMBEDDING.MOMENTUM = draw(st.sampled_from([0.3, 0.7, 1.0]))
    post = heads.POST_PROCESSING
    post.ENABLED = draw(st.booleans())
    post.FORM = draw(st.sampled_from(["linear", "log", "fixed"]))
    post.BETA = draw(st.sampled_from([0.0, 0.5, 2.0]))
    post.GAMMA = draw(st.sampled_from([0.0, 0.1, 10.0]))
    return cfg


@st.composite
def videos(draw):
    """A configuration and frames of detections of four objects, some frames empty, some objects seen twice."""
    seen = st.tuples(st.integers(0, 3), st.sampled_from([0.05, 0.2, 0.4, 0.6, 0.9]), st.integers(0, 1))
    frames = draw(st.lists(st.lists(seen, max_size=6), min_size=2, max_size=8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    objects, starts = rng.standard_normal((4, 3)), rng.uniform(0, 60, 4)
    video = []
    for frame in frames:
        video.append([])
        for which, score, category in frame:
            z = objects[which] + 0.4 * rng.standard_normal(3)
            x = starts[which] + rng.normal(scale=5)
            box = (float(x), float(x + rng.uniform(10, 30)))
            video[-1].append({"z": (z / np.linalg.norm(z)).tolist(), "score": score, "class": category, "x": box})
    return configuration(draw), video, draw(st.integers(0, len(video)))


def to_instances(frame):
    return Instances(
        (50, 200),
        pred_boxes=Boxes(torch.tensor([[d["x"][0], 0.0, d["x"][1], 10.0] for d in frame]).reshape(-1, 4)),
        scores=torch.tensor([d["score"] for d in frame]),
        pred_classes=torch.tensor([d["class"] for d in frame], dtype=torch.int64),
        embeddings=torch.tensor([d["z"] for d in frame]).reshape(-1, 3),
        rows=list(range(len(frame))),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(videos())
def test_equals_the_reference_and_goes_on_after_a_restart(case):
    cfg, video, cut = case
    reference, tracker = ReferenceTracker(cfg.TRACKER_HEADS), EmbeddingTracker(cfg)
    for number, frame in enumerate(video):
        if number == cut:
            file = io.BytesIO()
            np.savez(file, **tracker.state_dict())
            file.seek(0)
            tracker = EmbeddingTracker(cfg)
            tracker.load_state_dict(np.load(file, allow_pickle=False))
        expected = reference.update(frame)
        assume(reference.doubt > 1e-5)
        tracked = tracker.update(to_instances(frame))
        assert list(zip(tracked.rows, ids(tracked))) == expected
        assert len(set(ids(tracked))) == len(tracked)


def test_a_restart_changes_no_bit():
    """Chunk A + chunk B leave the same memory as the whole video, to the byte."""
    cfg = get_cfg()
    add_ictrack_config(cfg)
    rng = np.random.default_rng(0)
    whole, chunk = EmbeddingTracker(cfg), EmbeddingTracker(cfg)
    for number in range(40):
        frame = Instances((50, 200), pred_boxes=Boxes(torch.zeros(10, 4)), scores=torch.ones(10))
        frame.pred_classes = torch.zeros(10, dtype=torch.int64)
        frame.embeddings = torch.from_numpy(rng.standard_normal((10, 6), dtype=np.float32))
        if number == 17:
            state, chunk = chunk.state_dict(), EmbeddingTracker(cfg)
            chunk.load_state_dict(state)
        assert ids(whole.update(frame)) == ids(chunk.update(frame))
    assert len(whole.memory) > 10
    one, other = whole.state_dict(), chunk.state_dict()
    assert one.keys() == other.keys()
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_tags_are_not_normalised_but_the_vectors_beside_them_are(make_cfg, make_detections):
    """Lengths of vectors do not count, sizes of tags do; in the memory the tag is 0.7 * 4 + 0.3 * 2."""
    options = ("EMBEDDING.SIMILARITY", "distance_and_cosine", "EMBEDDING.NEW_OBJECT_COSINE", "-0.6")
    tracker = build_tracker(make_cfg(*options, "EMBEDDING.SCALE", "20.0"), 0, 0)
    first = tracker.update(make_detections([[2.0, 3, 0], [9.0, 3, 0]]))
    second = tracker.update(make_detections([[9.2, 0.1, 0], [4.0, 5, 0]]))
    assert second.ID.tolist() == first.ID.tolist()[::-1]
    np.testing.assert_allclose(sorted(tracker.memory["embeddings"].tolist()), [[3.4, 1, 0], [9.14, 1, 0]], rtol=1e-5)
    with pytest.raises(TrackerInputError, match="2 numbers are no tag and vector"):
        build_tracker(make_cfg(*options), 0, 0).update(make_detections([[2.0, 1]]))
