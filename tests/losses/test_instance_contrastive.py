"""Instance contrastive loss: values worked out by hand, gradients, symmetries and degenerate sets."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ictrack.losses.instance_contrastive import (
    center_loss,
    contrastive_loss,
    instance_centers,
    instance_contrastive_loss,
    max_entropy_loss,
)


def similarity(rows):
    centers = torch.tensor(rows, dtype=torch.float64)
    return centers @ centers.T


def center_loss_of(embeddings, instances):
    instances = torch.tensor(instances)
    centers, counts = instance_centers(embeddings, instances, int(instances.max()) + 1)
    return center_loss(embeddings, instances, centers, counts)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([[2, 0], [0, 1]], 0.165706), ([[1, 0], [0, 1], [1, 1]], 0.758478), ([[3, 4]], 0.0), ([[3, 0], [1, 0]], 1.064702)],
)
def test_contrastive_loss_values(rows, expected):
    assert contrastive_loss(similarity(rows)).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1, 0], [0, 1], [1, 1]], 0.073963),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 1]], 0.0),
        ([[1, 0], [1, 1]], 0.0),
        ([[1, 0]], 0.0),
    ],
)
def test_max_entropy_loss_values(rows, expected):
    assert max_entropy_loss(similarity(rows)).item() == pytest.approx(expected, abs=1e-6)


def test_center_loss_values():
    spread = torch.tensor([[0.0, 0.0], [2.0, 4.0]])
    assert center_loss_of(spread, [0, 0]).item() == pytest.approx(1.5)
    assert center_loss_of(torch.ones(3, 2), [0, 0, 0]).item() == 0
    # Instances weigh the same, whatever their number of positives: (1.5 + 0) / 2.
    assert center_loss_of(torch.cat([spread, torch.ones(5, 2)]), [0, 0] + [1] * 5).item() == pytest.approx(0.75)


def test_cosine_form_rewards_agreeing_positives():
    """Two orthogonal positives of one instance: |C|^2 = 1/2, against -1/2 and 1/2 for the others."""
    embeddings = torch.tensor([[3.0, 0.0], [0.0, 0.2], [-7.0, 0.0]], dtype=torch.float64)
    loss = instance_contrastive_loss(embeddings, torch.tensor([4, 4, 9]), normalize=True, temperature=0.5)
    rows = torch.tensor([[0.5, -0.5], [-0.5, 1.0]], dtype=torch.float64) / 0.5
    assert loss.contrastive.item() == pytest.approx(-rows.log_softmax(1).diagonal().mean().item())
    assert loss.center.item() == pytest.approx(0.25)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("term", range(3))
def test_gradient_is_the_numeric_one(normalize, term):
    embeddings = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    ids = torch.tensor([5, 2, 2, 5, 8, 8, 2])
    assert torch.autograd.gradcheck(
        lambda q: instance_contrastive_loss(q, ids, normalize=normalize, temperature=0.3)[term], (embeddings,)
    )


@settings(max_examples=50, deadline=None)
@given(ids=st.lists(st.integers(-3, 3), min_size=1, max_size=12), seed=st.integers(0, 1000), normalize=st.booleans())
def test_order_and_names_of_instances_do_not_matter(ids, seed, normalize):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(len(ids), 5, dtype=torch.float64, generator=generator)
    names = torch.tensor(ids)
    order = torch.randperm(len(ids), generator=generator)
    loss = instance_contrastive_loss(embeddings, names, normalize=normalize)
    shuffled = instance_contrastive_loss(embeddings[order], 1000 - 7 * names[order], normalize=normalize)
    torch.testing.assert_close(torch.stack(loss), torch.stack(shuffled))
    assert min(loss) >= -1e-12


@pytest.mark.parametrize("num_instances", [0, 1, 2])
@pytest.mark.parametrize("normalize", [False, True])
def test_few_instances_give_finite_connected_losses(num_instances, normalize):
    embeddings = torch.randn(2 * num_instances, 3, requires_grad=True)
    loss = instance_contrastive_loss(embeddings, torch.arange(num_instances).repeat(2), normalize=normalize)
    assert loss.entropy == 0
    if num_instances == 0:
        assert loss.center == 0
    if num_instances <= 1:
        assert loss.contrastive == 0
    for term in loss:
        (grad,) = torch.autograd.grad(term, embeddings, retain_graph=True)
        assert grad.isfinite().all()


def test_autocast_does_not_lower_the_precision():
    embeddings = 30 * torch.randn(6, 8)
    ids = torch.tensor([0, 0, 1, 1, 2, 2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = instance_contrastive_loss(embeddings, ids)
    assert all(term.dtype == torch.float32 for term in loss)
    torch.testing.assert_close(torch.stack(loss), torch.stack(instance_contrastive_loss(embeddings, ids)))


def test_half_precision_positives_give_float32_terms():
    loss = instance_contrastive_loss(torch.randn(4, 8).bfloat16(), torch.arange(4))
    assert all(term.dtype == torch.float32 for term in loss)


def test_descent_separates_instances():
    embeddings = torch.randn(12, 8, requires_grad=True)
    ids = torch.arange(4).repeat(3)
    optimizer = torch.optim.Adam([embeddings], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        sum(instance_contrastive_loss(embeddings, ids, normalize=True, temperature=0.1)).backward()
        optimizer.step()
    cosine = torch.nn.functional.normalize(embeddings.detach(), dim=1)
    cosine = cosine @ cosine.T
    same = ids[:, None] == ids
    assert cosine[same].min() > 0.9
    assert cosine[~same].max() < 0.1


def test_many_instances():
    """2,000 instances cost one 2,000 x 2,000 matrix."""
    embeddings = torch.randn(4000, 16, requires_grad=True)
    loss = instance_contrastive_loss(embeddings, torch.arange(2000).repeat(2), normalize=True, temperature=0.1)
    sum(loss).backward()
    assert embeddings.grad.isfinite().all()
    assert loss.entropy.item() < math.log(1999)


def test_mismatched_ids_are_refused():
    with pytest.raises(ValueError, match=r"\(P,\) ids"):
        instance_contrastive_loss(torch.randn(3, 2), torch.arange(2))
