"""Evidence where objects come and go, on vectors whose objects are known."""

import numpy as np

from ictrack.identities import Cut, fit_appearance, fit_reappearance, unit_mean

DIM = 16


def crops_of(direction, rng, count=40, noise=0.4):
    vectors = direction + noise * rng.normal(size=(count, DIM)) / np.sqrt(DIM)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def look_alikes(rng, num_scenes):
    """Directions of three objects a scene: orthogonal in a scene, but each is like one of every other scene."""
    shared = np.eye(DIM)[:3]
    own = rng.normal(size=(num_scenes, 3, DIM - 3))
    own *= 0.9 / np.linalg.norm(own, axis=2, keepdims=True)
    return [np.hstack([shared[:, :3], x]) / np.sqrt(1.81) for x in own]


def evidence(scenes, rng, visits):
    """Log-odds by both kinds of evidence of all pairs that never meet, and whether they are one object."""
    halves, cuts, tracklets, objects, times = [], [], [], [], []
    for visit in range(visits):
        for number, scene in enumerate(scenes):
            start = len(halves)
            halves += [crops_of(x, rng) for _ in range(2) for x in scene]
            cuts.append(Cut([start, start + 1, start + 2], [start + 3, start + 4, start + 5]))
            tracklets += [np.concatenate([halves[start + k], halves[start + 3 + k]]) for k in range(3)]
            objects += [3 * number + k for k in range(3)]
            times += 3 * [visit * len(scenes) + number]
    means = np.stack([unit_mean(x) for x in tracklets])
    meet = np.array(times)[:, None] == times
    rows, columns = np.nonzero(np.triu(~meet, 1))
    cosines, lengths = (means[rows] * means[columns]).sum(axis=1), np.full(len(rows), 80.0)
    same = np.array(objects)[rows] == np.array(objects)[columns]
    reappearance = fit_reappearance(halves, cuts, tracklets, meet)
    return fit_appearance(halves, cuts)(cosines, lengths), reappearance(cosines, lengths), same, reappearance


def test_objects_that_are_never_together_are_not_taken_for_one():
    rng = np.random.default_rng(0)
    looks, reappearing, same, found = evidence(look_alikes(rng, 4), rng, visits=3)
    # Objects that meet are orthogonal, so that all that are more alike look like one by them alone.
    assert (looks[~same] > 0).mean() > 0.1
    assert (reappearing[~same] > 0).mean() == 0 and (reappearing[same] > 0).mean() > 0.95
    assert abs(found.share - same.mean()) < 0.03


def test_objects_that_all_come_back_are_found():
    rng = np.random.default_rng(1)
    _, reappearing, same, found = evidence(look_alikes(rng, 1), rng, visits=4)
    assert (reappearing[same] > 0).mean() > 0.95 and (reappearing[~same] > 0).mean() == 0
    assert abs(found.share - same.mean()) < 0.05


def test_without_a_pair_there_is_nothing_to_learn_of_them():
    rng = np.random.default_rng(2)
    halves = [crops_of(np.eye(DIM)[k], rng) for _ in range(2) for k in range(3)]
    found = fit_reappearance(halves, [Cut([0, 1, 2], [3, 4, 5])], halves[:3], np.ones((3, 3), dtype=bool))
    assert found(np.array(1.0), np.array(40)) > 0 > found(np.array(0.0), np.array(40))
    assert fit_reappearance(halves, [], [], np.zeros((0, 0), dtype=bool)) is None
