"""Skeleton and drawing of sample people against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ictrack.structures.joints import COCO_17
from synthetic.characters.render import Light
from synthetic.people import clips, stills
from synthetic.people.annotations import coco_person, is_hidden, posetrack_frame
from synthetic.people.parts import Head, Rod, Viewpoint, face_points
from synthetic.people.postures import MOVING, ON_THE_SPOT, act, blend
from synthetic.people.raster import SUPERSAMPLING, draw_person
from synthetic.people.scene import JOINTS, Figure, Person, compose, draw_figure
from synthetic.people.skeleton import FIELD, POINT, POSTURE_FIELDS, Body, draw_body, place_points
from synthetic.people.stage import Stage
from synthetic.people.wardrobe import Atlas, draw_outfit, make_atlas

BODY = Body(
    shoulder=0.1, hip=0.05, spine=0.3, neck=0.04, head=0.08, upper_arm=0.17, forearm=0.15, thigh=0.2, shin=0.25,
    foot=0.1, girth=1.0,
)  # fmt: skip
NO_SHADOW = Light(shadow=0.0, shear=0.0, length=0.3, gain=np.ones(3))
PLAIN = Atlas(np.full((8, 8, 3), 200, np.uint8), {"a": (1, 1, 5, 5), "b": (1, 1, 5, 5)})


def placed(**angles: float) -> dict[str, np.ndarray]:
    posture = np.zeros((1, len(POSTURE_FIELDS)))
    for name, angle in angles.items():
        posture[0, FIELD[name]] = angle
    points = place_points(BODY, posture)[0][0]
    return {name: points[i] for name, i in POINT.items()}


def figure(yaw: float, x: float = 80.0, foot: float = 180.0, **angles: float) -> Figure:
    rng = np.random.default_rng(5)
    outfit = draw_outfit(rng, "train")
    posture = np.zeros((1, len(POSTURE_FIELDS)))
    for name, angle in angles.items():
        posture[0, FIELD[name]] = angle
    points, heads = place_points(BODY, posture)
    person = Person(BODY, outfit, make_atlas(outfit))
    return draw_figure(person, points[0], heads[0], Viewpoint((x, foot), 150.0, yaw, 0.0))


def joint(person: Figure, name: str) -> np.ndarray:
    return person.joints[JOINTS.index(name)]


def seen(person: Figure, name: str) -> bool:
    return bool(person.unhidden[JOINTS.index(name)])


def test_standing_straight():
    at = placed()
    assert at["left_heel"][1] == pytest.approx(0)
    assert at["left_ankle"][1] == pytest.approx(0.035)
    assert at["left_knee"][1] - at["left_ankle"][1] == pytest.approx(0.25)
    assert at["left_hip"][1] - at["left_knee"][1] == pytest.approx(0.2)
    assert at["left_hip"][0] == pytest.approx(0.05) and at["right_hip"][0] == pytest.approx(-0.05)
    assert at["chest"][1] - at["pelvis"][1] == pytest.approx(0.3)
    np.testing.assert_allclose(at["left_wrist"] - at["left_shoulder"], [0, -0.32, 0], atol=1e-12)


def test_limbs_turn_the_way_their_angles_say():
    forward = placed(right_arm_flex=np.pi / 2)
    np.testing.assert_allclose(forward["right_elbow"] - forward["right_shoulder"], [0, 0, 0.17], atol=1e-12)
    aside = placed(left_arm_abduct=np.pi / 2, left_elbow=np.pi / 2, left_elbow_plane=1.0)
    np.testing.assert_allclose(aside["left_elbow"] - aside["left_shoulder"], [0.17, 0, 0], atol=1e-12)
    np.testing.assert_allclose(
        aside["left_wrist"] - aside["left_elbow"], 0.15 * np.array([0, 1, 0.3]) / np.hypot(1, 0.3), atol=1e-9
    )
    kneeling = placed(left_hip_flex=np.pi / 2, left_knee=np.pi / 2)
    np.testing.assert_allclose(kneeling["left_knee"] - kneeling["left_hip"], [0, 0, 0.2], atol=1e-12)
    np.testing.assert_allclose(kneeling["left_ankle"] - kneeling["left_knee"], [0, -0.25, 0], atol=1e-12)
    leaning = placed(lean=0.5)
    assert leaning["chest"][2] > 0.1 and leaning["chest"][1] < placed()["chest"][1]


@pytest.mark.parametrize("action", [*MOVING, *ON_THE_SPOT])
def test_limbs_keep_their_lengths_in_every_action(action):
    rng = np.random.default_rng(1)
    body = draw_body(rng)
    points = place_points(body, act(rng, action, np.arange(30) * 0.4))[0]
    for start, end, length in (("hip", "knee", body.thigh), ("knee", "ankle", body.shin),
                               ("shoulder", "elbow", body.upper_arm), ("elbow", "wrist", body.forearm)):  # fmt: skip
        for side in ("left", "right"):
            bone = points[:, POINT[f"{side}_{end}"]] - points[:, POINT[f"{side}_{start}"]]
            np.testing.assert_allclose(np.linalg.norm(bone, axis=1), length)
    assert points[:, :, 1].min() > -0.02


def test_actions_pass_into_each_other():
    one, two = np.zeros((40, 3)), np.ones((40, 3))
    mixed = blend([(0, one), (20, two)])
    assert mixed[0, 0] == 0 and mixed[-1, 0] == 1 and mixed[20, 0] == pytest.approx(0.5)
    assert (np.diff(mixed[:, 0]) >= 0).all()


def test_left_is_right_in_the_picture_of_somebody_who_faces_the_viewer():
    front, back, side = figure(0.0), figure(np.pi), figure(np.pi / 2)
    assert joint(front, "left_shoulder")[0] == pytest.approx(80 + 15)
    assert joint(back, "left_shoulder")[0] == pytest.approx(80 - 15)
    assert joint(side, "left_shoulder")[0] == pytest.approx(80)
    assert joint(side, "nose")[0] > 80 + 5  # looks to the right
    assert joint(front, "left_knee")[1] == pytest.approx(180 - 150 * 0.285)


def test_visibility_follows_the_turn_of_the_body():
    front, back, side = figure(0.0), figure(np.pi), figure(np.pi / 2)
    assert seen(front, "nose") and seen(front, "left_eye") and seen(front, "right_eye")
    assert not seen(back, "nose") and not seen(back, "left_eye")
    # Turned to the viewer's right, the right side is towards the viewer.
    assert seen(side, "right_shoulder") and not seen(side, "left_shoulder")
    assert seen(side, "right_hip") and not seen(side, "left_hip")
    assert seen(side, "right_ear") and not seen(side, "left_ear")
    hidden = figure(np.pi, left_arm_flex=0.9, left_elbow=1.9, left_elbow_plane=-0.9)
    assert not seen(hidden, "left_wrist")  # before the chest, from behind


def test_nearer_person_covers_the_joints_of_the_farther_one():
    far, near = figure(0.0, foot=178.0), figure(0.0, x=84.0, foot=181.0)
    background = np.full((192, 160, 3), 90, np.uint8)
    _, (first, second) = compose(background, [far, near], NO_SHADOW)
    names = ["nose", "left_hip", "right_hip", "left_shoulder"]
    assert first.covered[[JOINTS.index(n) for n in names]].all()
    assert not second.covered.any() and second.in_image.all()
    assert not (first.mask & second.mask).any()
    assert first.outline_area > np.count_nonzero(first.mask)
    assert second.outline_area == np.count_nonzero(second.mask)
    _, (alone,) = compose(background, [far], NO_SHADOW)
    assert first.outline_box == alone.outline_box and first.outline_area == alone.outline_area


def test_joints_outside_the_picture():
    _, (person,) = compose(np.full((192, 160, 3), 90, np.uint8), [figure(0.0, x=0.0)], NO_SHADOW)
    assert person.in_image[JOINTS.index("left_shoulder")]
    assert not person.in_image[JOINTS.index("right_shoulder")]
    assert person.outline_box[0] == 0


def test_rod_has_its_width_length_and_depth():
    rod = Rod("a", np.array([20.0, 10.0, 0.0]), np.array([20.0, 50.0, 0.0]), (5.0, 5.0), (5.0, 5.0))
    layer = draw_person([rod], PLAIN)
    solid = layer.bgra[..., 3] > 127
    rows, columns = np.flatnonzero(solid.any(1)), np.flatnonzero(solid.any(0))
    assert (layer.x + columns[0], layer.x + columns[-1] + 1) == (15, 25)
    assert (layer.y + rows[0], layer.y + rows[-1] + 1) == (5, 55)
    assert layer.depth_at(np.array([20.0, 30.0])) == pytest.approx(5.0, abs=0.1)
    assert layer.depth_at(np.array([20.0, 80.0])) == -np.inf
    assert layer.depth.shape[0] == SUPERSAMPLING * layer.bgra.shape[0]


def test_flat_rod_is_as_wide_as_its_turn_lets_see():
    for yaw, half in ((0.0, 10.0), (np.pi / 2, 4.0), (np.pi / 4, np.sqrt((100 + 16) / 2))):
        rod = Rod("a", np.array([30.0, 10.0, 0]), np.array([30.0, 40.0, 0]), (10.0, 10.0), (3.0, 3.0), 0.4, yaw)
        layer = draw_person([rod], PLAIN)
        assert layer.bgra[..., 3].astype(float).sum(1).max() / 255 == pytest.approx(2 * half, abs=0.6)
        # Nearest points of an ellipse with half axes 10 and 4.
        height = np.sqrt((10 * np.sin(yaw)) ** 2 + (4 * np.cos(yaw)) ** 2)
        assert layer.depth.max() == pytest.approx(height, abs=0.15)


def test_nearer_part_is_drawn_over_the_farther_one():
    atlas = Atlas(np.zeros((8, 16, 3), np.uint8), {"a": (1, 1, 5, 5), "b": (9, 1, 5, 5)})
    atlas.image[:, 8:] = 255
    far = Rod("a", np.array([20.0, 10, 0]), np.array([20.0, 40, 0]), (6.0, 6.0), (6.0, 6.0))
    near = Rod("b", np.array([10.0, 25, 9]), np.array([30.0, 25, 9]), (3.0, 3.0), (3.0, 3.0))
    for parts in ([far, near], [near, far]):  # whatever their order
        layer = draw_person(parts, atlas)
        assert layer.bgra[25 - layer.y, 20 - layer.x, 0] > 100
        assert layer.bgra[15 - layer.y, 20 - layer.x, 0] == 0


def test_face_lies_on_the_head():
    head = Head("a", np.array([50.0, 40.0, 0.0]), np.diag([7.0, -10.0, 8.0]))
    face = face_points(head)
    assert face["nose"][0][0] == pytest.approx(50) and face["nose"][0][2] > 8
    assert face["left_eye"][0][0] == pytest.approx(50 + 7 * np.sin(0.42) * np.cos(0.08))
    assert face["left_eye"][1] and face["nose"][1]
    turned = Head("a", head.center, np.diag([-7.0, -10.0, -8.0]))
    assert not face_points(turned)["nose"][1] and not face_points(turned)["left_eye"][1]
    layer = draw_person([head], PLAIN)
    assert layer.depth_at(np.array([50.0, 40.0])) == pytest.approx(8.0, abs=0.1)


def test_hardly_visible_person_is_ignored_where_seen():
    far, near = figure(0.0, foot=178.0), figure(0.0, x=81.0, foot=181.0)
    background = np.full((192, 160, 3), 90, np.uint8)
    _, people = compose(background, [far, near], NO_SHADOW)
    assert is_hidden(people[0]) and not is_hidden(people[1])
    image, rows = posetrack_frame(people, sequence=3, time=7, min_visible=1)
    assert image["id"] == 90000030007 and [row["track_id"] for row in rows] == [1]
    polygons = list(zip(image["ignore_regions_x"], image["ignore_regions_y"]))
    assert polygons
    for xs, ys in polygons:
        assert people[0].mask[np.floor(ys).astype(int), np.floor(xs).astype(int)].all()
    assert coco_person(people[0])["num_keypoints"] == 0
    assert coco_person(people[1])["num_keypoints"] == 17


def test_joints_of_the_files():
    _, people = compose(np.full((192, 160, 3), 90, np.uint8), [figure(np.pi / 2)], NO_SHADOW)
    still = np.reshape(coco_person(people[0])["keypoints"], (17, 3))
    clip = np.reshape(posetrack_frame(people, sequence=1, time=0, min_visible=1)[1][0]["keypoints"], (17, 3))
    left, right = COCO_17.index("left_hip"), COCO_17.index("right_hip")
    assert (still[left, 2], still[right, 2]) == (1, 2)  # the far side is behind the own body
    assert (clip[left, 2], clip[right, 2]) == (1, 1)
    np.testing.assert_allclose(clip[right, :2], still[right, :2] + 0.5, atol=0.011)


def test_everybody_stands_on_the_floor():
    for seed in range(20):
        stage = Stage(np.random.default_rng(seed), "val", 192, 320)
        assert stage.stature(stage.place(100.0)) == pytest.approx(100)
        assert stage.foot < stage.place(min(stills.MIN_STATURE, clips.MIN_STATURE))
        assert stage.image().shape == (192, 320, 3)
