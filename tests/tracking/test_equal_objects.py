"""Objects that embeddings cannot tell apart: equals at rest and in slow motion keep their identities."""

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.structures import Boxes, Instances
from hypothesis import given, settings
from hypothesis import strategies as st

from ictrack.config import add_ictrack_config
from ictrack.tracking import EmbeddingTracker
from ictrack.tracking.association import bidirectional_softmax, equal_rows, settle_by_position, unit_rows

SPACING, SIDE = 40, 20


def frame_of(centers, embeddings, order=None):
    """Instances of squares; `object` tells which is which, whatever the order of the rows."""
    order = np.arange(len(centers)) if order is None else order
    centers = np.asarray(centers, dtype=np.float32)[order]
    instances = Instances((240, 240))
    instances.pred_boxes = Boxes(torch.from_numpy(np.hstack([centers - SIDE / 2, centers + SIDE / 2])))
    instances.scores = torch.full((len(order),), 0.9)
    instances.pred_classes = torch.zeros(len(order), dtype=torch.int64)
    instances.embeddings = torch.from_numpy(np.asarray(embeddings, dtype=np.float32)[order])
    instances.object = order
    return instances


def identities(tracked):
    """{object: identity}"""
    return dict(zip(tracked.object.tolist(), tracked.ID.tolist()))


@st.composite
def scenes(draw):
    count = draw(st.integers(2, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    centers = np.stack([np.arange(count) % 5, np.arange(count) // 5], axis=1) * SPACING + 30.0
    shape = draw(st.sampled_from([(8,), (128,), (17, 16)]))  # of masks and of poses
    noise = draw(st.sampled_from([0.0, 1e-7, 1e-3 / np.sqrt(shape[-1])]))
    motion = draw(st.sampled_from([0.0, 1.0, 6.0]))
    absent = draw(st.booleans())
    return count, rng, centers, shape, noise, motion, absent


@pytest.mark.parametrize("assignment", ["score_order", "hungarian"])
@settings(max_examples=40, deadline=None)
@given(scene=scenes())
def test_equals_keep_their_identities(assignment, scene):
    count, rng, centers, shape, noise, motion, absent = scene
    tracker = equals_tracker(assignment)
    common = unit_rows(rng.standard_normal(shape))
    first = None
    for number in range(6):
        embeddings = common + noise * rng.standard_normal((count, *shape))
        seen = rng.permutation(count)
        seen = seen[: max(1, count // 2)] if absent and number in (2, 3) else seen
        moved = centers + motion * np.sin(number + np.arange(2 * count).reshape(-1, 2))
        found = identities(tracker.update(frame_of(moved, embeddings, seen)))
        first = first or found
        assert found == {name: first[name] for name in seen}


def equals_tracker(assignment="score_order", *options):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.TRACKER_HEADS.MAX_DETECTIONS = 30
    cfg.TRACKER_HEADS.EMBEDDING.ASSIGNMENT = assignment
    cfg.merge_from_list(list(options))
    return EmbeddingTracker(cfg)


@pytest.mark.parametrize("form", ["linear", "log"])
def test_equals_keep_their_identities_with_post_processing(form):
    tracker = equals_tracker(
        "score_order", "TRACKER_HEADS.POST_PROCESSING.ENABLED", True, "TRACKER_HEADS.POST_PROCESSING.FORM", form
    )
    centers, embeddings = [[30 + SPACING * i, 30] for i in range(5)], np.ones((5, 8))
    for shift in range(0, 12, 3):
        order = np.roll(np.arange(5), shift)
        found = tracker.update(frame_of(np.add(centers, shift), embeddings, order))
        assert identities(found) == {i: i for i in range(5)}


def test_an_equal_that_joins_is_new_and_the_others_stay():
    tracker = equals_tracker()
    centers = [[30 + SPACING * i, 30] for i in range(5)]
    tracker.update(frame_of(centers[:4], np.ones((4, 8))))
    order = np.array([4, 2, 0, 3, 1])
    assert identities(tracker.update(frame_of(centers, np.ones((5, 8)), order))) == {i: i for i in range(5)}


@pytest.mark.parametrize("count", [1, 5, 20])
def test_what_is_unlike_is_new_beside_few_and_many_equals(count):
    """Cosine 0.4 with each of them is below the level of a new object, however many there are."""
    tracker = equals_tracker()
    equals = np.tile([1.0, 0.0], (count, 1))
    centers = [[30 + SPACING * (i % 5), 30 + SPACING * (i // 5)] for i in range(count)]
    tracker.update(frame_of(centers, equals))
    stranger = [[0.4, np.sqrt(1 - 0.16)]]
    assert tracker.update(frame_of(centers[:1], stranger)).ID.tolist() == [count]


def test_a_track_that_resembles_many_equals_keeps_its_identity():
    """Cosine 0.8 with each of twenty, 1 with itself."""
    tracker = equals_tracker()
    embeddings = np.vstack([np.tile([1.0, 0.0], (20, 1)), [[0.8, 0.6]]])
    centers = [[30 + SPACING * (i % 5), 30 + SPACING * (i // 5)] for i in range(21)]
    for _ in range(3):
        assert identities(tracker.update(frame_of(centers, embeddings))) == {i: i for i in range(21)}


def test_the_literal_form_has_no_such_rule():
    tracker = equals_tracker("score_order", "TRACKER_HEADS.EMBEDDING.DUMMY", False)
    centers = [[30 + SPACING * i, 30] for i in range(5)]
    tracker.update(frame_of(centers, np.ones((5, 8))))
    assert tracker.update(frame_of(centers, np.ones((5, 8)))).ID.tolist() == [5, 6, 7, 8, 9]  # 1/5 < 0.5


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_of_distinct_embeddings_no_bit_changes(rows, columns, seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=5, size=(rows, columns)).astype(np.float32)
    boxes = [rng.uniform(0, 99, (n, 4)).astype(np.float32) for n in (rows, columns)]
    plain = bidirectional_softmax(logits, 5.0)
    similarity = bidirectional_softmax(logits, 5.0, np.ones(rows), np.ones(columns))
    alone = equal_rows(np.eye(rows), 1.0, 1e-3), equal_rows(np.eye(columns), 1.0, 1e-3)
    assert settle_by_position(similarity, *alone, *boxes).tobytes() == plain.tobytes()


def test_counts_by_hand():
    """Two equals at the dummy's logit: each is half of a match that would be 1/2 alone; counted once, it is 1/2."""
    logits = np.full((1, 2), 5.0, np.float32)
    np.testing.assert_allclose(bidirectional_softmax(logits, 5.0), [[(1 / 3 + 1 / 2) / 2] * 2], rtol=1e-6)
    counted = bidirectional_softmax(logits, 5.0, np.array([1]), np.array([2, 2]))
    np.testing.assert_allclose(counted, [[0.5, 0.5]], rtol=1e-6)
