"""Associative embedding loss: values by hand, against plain loops, gradients, degenerate sets."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ictrack.losses.associative_embedding import associative_embedding_loss


def loss_of(tags, people, images, num_images=1):
    tags = torch.tensor(tags, dtype=torch.float64).reshape(len(people), -1)
    return associative_embedding_loss(tags, torch.tensor(people), torch.tensor(images), num_images)


def test_two_people_by_hand():
    """Tags {0, 1} and {3, 3}: means 0.5 and 3; pull (0.25 + 0) / 2, push exp(-6.25) / 2."""
    terms = loss_of([0, 1, 3, 3], [0, 0, 1, 1], [0, 0, 0, 0])
    assert terms.pull.item() == pytest.approx(0.125)
    assert terms.push.item() == pytest.approx(0.000965227, abs=1e-9)


def test_pull_is_a_mean_over_dimensions_and_push_a_sum():
    terms = loss_of([[0, 0], [2, 4], [1, 2]], [5, 5, 9], [0, 0, 0])
    assert terms.pull.item() == pytest.approx((1 + 4) / 2 / 2)  # the second person has one tag
    assert terms.push.item() == pytest.approx(0.5)  # equal means
    apart = loss_of([[0, 0], [0.3, 0.4]], [0, 1], [0, 0])
    assert apart.push.item() == pytest.approx(0.5 * math.exp(-0.25))


def test_people_of_different_images_do_not_push_each_other():
    terms = loss_of([1, 1], [0, 1], [0, 1], num_images=2)
    assert terms.push == 0 and terms.pull == 0


def test_images_weigh_the_same_even_without_people():
    both = loss_of([0, 1, 3, 3, 0, 4], [0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 2, 2], num_images=4)
    assert both.pull.item() == pytest.approx((0.125 + 4) / 4)
    assert both.push.item() == pytest.approx(0.000965227 / 4, abs=1e-9)


def plain(tags, people, images, num_images):
    """The definition in loops."""
    pull = push = 0.0
    for image in range(num_images):
        names = sorted({p for p, i in zip(people, images) if i == image})
        means = []
        for name in names:
            own = [t for t, p in zip(tags, people) if p == name]
            mean = [sum(column) / len(own) for column in zip(*own)]
            spread = sum((a - b) ** 2 for t in own for a, b in zip(t, mean)) / len(mean) / len(own)
            pull += spread / len(names) / num_images
            means.append(mean)
        for a in range(len(means)):
            for b in range(a):
                squared = sum((x - y) ** 2 for x, y in zip(means[a], means[b]))
                push += math.exp(-squared) / (len(means) * (len(means) - 1)) / num_images
    return pull, push


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 3), st.integers(1, 3))
def test_equals_the_definition(seed, count, dim, num_images):
    generator = torch.Generator().manual_seed(seed)
    tags = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    people = torch.randint(0, 5, (count,), generator=generator)
    images = people % num_images
    terms = associative_embedding_loss(tags, people, images, num_images)
    pull, push = plain(tags.tolist(), people.tolist(), images.tolist(), num_images)
    assert terms.pull.item() == pytest.approx(pull, abs=1e-12)
    assert terms.push.item() == pytest.approx(push, abs=1e-12)


def test_gradients():
    tags = torch.randn(7, 2, dtype=torch.float64, requires_grad=True)
    people, images = torch.tensor([0, 0, 1, 2, 2, 2, 3]), torch.tensor([0, 0, 0, 0, 0, 0, 1])
    assert torch.autograd.gradcheck(lambda x: associative_embedding_loss(x, people, images, 2), (tags,))


def test_no_tags_give_connected_zeros():
    tags = torch.zeros(0, 3, requires_grad=True)
    terms = associative_embedding_loss(tags, torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), 2)
    assert terms.pull == 0 and terms.push == 0
    (terms.pull + terms.push).backward()
    assert tags.grad is not None


def test_shapes_must_fit():
    with pytest.raises(ValueError, match=r"\(3, 1\).*\(2,\)"):
        associative_embedding_loss(torch.zeros(3, 1), torch.zeros(2), torch.zeros(3), 1)
