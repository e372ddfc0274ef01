"""Contrastive loss over mined tracklets: values by hand, who is a positive and who a negative, gradients."""

import math

import pytest
import torch

from ictrack.losses.tracklet_contrastive import tracklet_contrastive_loss


def loss_of(embeddings, detections, **options):
    """``detections``: (video, tracklet, frame) of each embedding."""
    videos, tracklets, frames = torch.tensor(detections).T
    options = {"temperature": 1.0, "normalize": False, **options}
    return tracklet_contrastive_loss(torch.as_tensor(embeddings), tracklets, frames, videos, **options)


def test_value_by_hand():
    """Positive similarity ln 4, one negative of ln 2 for one of the two and of 0 for the other: ln 1.5, ln 1.25."""
    a, b = math.log(4), math.log(2)
    loss = loss_of([[1.0, 0], [a, b / 2], [b, -2 * a]], [(0, 0, 0), (0, 0, 5), (1, 0, 0)])
    second = a * b - a * b  # the dot product of the second and the third
    expected = (math.log(1 + 2 / 4) + math.log(1 + math.exp(second) / 4)) / 2
    assert loss.item() == pytest.approx(expected)


def test_zero_without_negatives_and_near_zero_when_apart():
    assert loss_of([[1.0, 0], [0, 1.0]], [(0, 0, 0), (0, 0, 5)]) == 0
    loss = loss_of([[1.0, 0], [1, 0], [0, 1]], [(0, 0, 0), (0, 0, 5), (1, 0, 0)], temperature=0.02, normalize=True)
    assert loss.item() == pytest.approx(0, abs=1e-12)


def test_equal_embeddings_cost_the_log_of_the_candidates():
    detections = [(0, 0, 0), (0, 0, 4), (0, 1, 0), (0, 1, 4)]
    assert loss_of(torch.ones(4, 3), detections, normalize=True).item() == pytest.approx(math.log(3))


def test_pairs_that_are_too_close_do_not_count():
    embeddings = torch.randn(4, 3)
    detections = [(0, 0, 0), (0, 0, 1), (0, 0, 8), (1, 0, 0)]
    everything = loss_of(embeddings, detections)
    far = loss_of(embeddings, detections, min_gap=8)
    ends = loss_of(embeddings[[0, 2, 3]], [detections[i] for i in (0, 2, 3)])
    assert far == ends != everything
    assert loss_of(embeddings, detections, min_gap=9) == 0


def test_tracklets_that_never_meet_may_be_one_object():
    """A tracklet that starts after another one ended is no negative of it; one that shares a frame is."""
    positives = [(0, 0, 0), (0, 0, 5)]
    embeddings = torch.randn(3, 3)
    alone = loss_of(embeddings[:2], positives)
    assert loss_of(embeddings, [*positives, (0, 1, 7)]) == alone == 0
    assert loss_of(embeddings, [*positives, (0, 1, 5)]) > 0
    assert loss_of(embeddings, [*positives, (1, 0, 5)]) > 0  # of another video, whatever its name


def test_tracklets_that_never_meet_weigh_as_much_as_the_doubt():
    """Positive similarity of 1, the doubtful one of 0: ln(1 + doubt / e) for both anchors."""
    embeddings, detections = [[1.0, 0], [1, 0], [0, 1]], [(0, 0, 0), (0, 0, 5), (0, 1, 9)]
    assert loss_of(embeddings, detections) == 0
    for doubt in (0.2, 1):
        assert loss_of(embeddings, detections, doubt=doubt).item() == pytest.approx(math.log(1 + doubt / math.e))
    # Those that meet are certain, whatever the doubt.
    meeting = [(0, 0, 0), (0, 0, 5), (0, 1, 5)]
    assert loss_of(embeddings, meeting, doubt=0.2).item() == pytest.approx(math.log(1 + 1 / math.e))


def test_names_do_not_matter():
    embeddings = torch.randn(6, 4)
    detections = [(0, 0, 0), (0, 0, 5), (0, 1, 0), (0, 1, 5), (1, 0, 0), (1, 0, 5)]
    renamed = [(9 - video, 40 - 3 * tracklet, frame + 100) for video, tracklet, frame in detections]
    order = torch.randperm(6).tolist()
    shuffled = loss_of(embeddings[order], [renamed[i] for i in order])
    torch.testing.assert_close(shuffled, loss_of(embeddings, detections))


@pytest.mark.parametrize("normalize", [False, True])
def test_gradient_is_the_numeric_one(normalize):
    embeddings = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    detections = [(0, 0, 0), (0, 0, 5), (0, 1, 0), (0, 1, 5), (0, 2, 9), (1, 0, 0), (1, 0, 5)]
    assert torch.autograd.gradcheck(
        lambda x: loss_of(x, detections, normalize=normalize, temperature=0.5), (embeddings,)
    )


@pytest.mark.parametrize("count", [0, 1])
def test_no_pair_is_a_connected_zero(count):
    embeddings = torch.randn(count, 3, requires_grad=True)
    names = torch.zeros(count, dtype=torch.int64)
    loss = tracklet_contrastive_loss(embeddings, names, names, names, temperature=0.1)
    assert loss == 0
    (grad,) = torch.autograd.grad(loss, embeddings)
    assert (grad == 0).all()


def test_anchor_without_negatives_has_a_finite_gradient():
    embeddings = torch.randn(2, 3, requires_grad=True)
    loss_of(embeddings, [(0, 0, 0), (0, 0, 5)]).backward()
    assert (embeddings.grad == 0).all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"\(M, D\)"):
        names = torch.zeros(2, dtype=torch.int64)
        tracklet_contrastive_loss(torch.randn(3, 2), names, names, names, temperature=0.1)
    with pytest.raises(ValueError, match="1 frame apart"):
        loss_of(torch.randn(2, 3), [(0, 0, 0), (0, 0, 5)], min_gap=0)
