"""Synthetic clip: people who walk about, turn, wave, sit down, leave and come back before a moving camera."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from synthetic.characters.motion import camera
from synthetic.characters.scene import ChangingLight, Sensor

from .cast import draw_people, draw_thing
from .parts import Viewpoint
from .postures import MOVING, ON_THE_SPOT, act, blend, draw_action
from .scene import Figure, Item, Observation, Person, Prop, compose, draw_figure, draw_prop
from .skeleton import place_points
from .stage import Stage

MIN_PEOPLE, MAX_PEOPLE = 3, 6
MIN_STATURE, MAX_STATURE = 78.0, 170.0
# Camera movement in pixels to either side, in x and y.
CAMERA_REACH = (36, 14)
MOVING_SHARE = 0.62
# Walking speed in statures a frame, and factor of running.
WALK_SPEED, RUN_FACTOR = (0.035, 0.055), 1.9
# Length of two steps in statures.
STRIDE = 0.85
# Apparent length of a way along the line of sight over one across.
FORESHORTENING = 0.35
# Frames over which a change of direction is spread.
TURN_FRAMES = 11


@dataclass(frozen=True)
class ClipStyle:
    """Probabilities of a kind of clip."""

    look_alike_probability: float = 0.35
    team_probability: float = 0.3
    leaves_probability: float = 0.35
    prop_probability: float = 0.5
    light_drift: float = 0.1


class Actor:
    """Person of a clip, with all of the movement drawn in advance.

    Attributes:
        ground: (T, 2) x, y of the ground below the person in pixels, without camera movement.
    """

    def __init__(self, rng: np.random.Generator, person: Person, stage: Stage, length: int, leaves: bool):
        self.person, self._stage = person, stage
        self._size = float(rng.uniform(0.92, 1.08))
        waypoints, actions, headings = self._plan(rng, length, leaves)
        self.ground = _smooth(waypoints)
        velocity = np.gradient(self.ground, axis=0)
        statures = stage.stature(self.ground[:, 1])
        speed = np.hypot(velocity[:, 0], velocity[:, 1] / FORESHORTENING) / statures
        phase = rng.uniform(0, 2 * np.pi) + np.cumsum(speed) * 2 * np.pi / STRIDE
        self._yaw = _smooth(headings)
        postures = blend([(start, act(rng, action, phase)) for start, action in actions])
        self._points, self._heads = place_points(person.body, postures)

    def figure(self, time: int, offset: np.ndarray, zoom: float) -> Figure:
        """Figure seen by a camera moved by ``offset`` and zoomed about the image's center."""
        center = np.array([self._stage.width, self._stage.height]) / 2
        x, y = (self.ground[time] - offset - center) * zoom + center
        stature = self._size * float(self._stage.stature(self.ground[time, 1])) * zoom
        view = Viewpoint((float(x), float(y)), stature, float(self._yaw[time]), self._stage.pitch)
        return draw_figure(self.person, self._points[time], self._heads[time], view)

    def _plan(
        self, rng: np.random.Generator, length: int, leaves: bool
    ) -> tuple[np.ndarray, list[tuple[int, str]], np.ndarray]:
        """(T, 2) ground, (first frame, action) pairs, and (T,) headings in radians."""
        width = self._stage.width
        low, high = (self._stage.place(s) for s in (MIN_STATURE, MAX_STATURE))
        here = np.array([rng.uniform(0, width), rng.uniform(low, high)])
        pace = rng.uniform(*WALK_SPEED)
        ground: list[np.ndarray] = []
        headings: list[float] = []
        actions: list[tuple[int, str]] = []
        heading = rng.uniform(-np.pi, np.pi)
        exit_time = rng.uniform(0.1, 0.35) * length if leaves else np.inf
        outside = False
        while len(ground) < length:
            leave = len(ground) >= exit_time
            moves = leave or outside or rng.random() < MOVING_SHARE
            action = draw_action(rng, MOVING if moves else ON_THE_SPOT)
            actions.append((len(ground), action))
            if not moves:
                # People who stop often turn to the viewer.
                heading = _nearest(rng.normal(0, 0.9), heading) if rng.random() < 0.5 else heading + rng.normal(0, 0.5)
                duration = int(rng.integers(12, 32))
                ground += [here] * duration
                headings += [heading] * duration
                continue
            if leave:
                exit_time = np.inf
                margin = 0.55 * float(self._stage.stature(here[1]))
                side = -margin if here[0] < width / 2 else width + margin
                target = np.array([side, here[1]])
            else:
                target = np.array([rng.uniform(0.05, 0.95) * width, rng.uniform(low, high)])
            returns, outside = outside, leave
            way = target - here
            middle = float(self._stage.stature((here[1] + target[1]) / 2))
            distance = float(np.hypot(way[0], way[1] / FORESHORTENING)) / middle
            faster = RUN_FACTOR if action == "run" else 1.0
            # People who leave hurry to be back before the clip ends.
            steps = distance / (pace * faster)
            duration = max(int(min(steps, 0.2 * length) if leave or returns else steps), 4)
            heading = _nearest(float(np.arctan2(way[0], way[1] / FORESHORTENING)), heading)
            ground += list(here + way * np.linspace(0, 1, duration + 1)[1:, None])
            headings += [heading] * duration
            here = target
            if leave:
                pause = int(rng.integers(3, 9))
                ground += [here] * pause
                headings += [heading] * pause
        return np.array(ground[:length]), actions, np.array(headings[:length])


def _nearest(angle: float, reference: float) -> float:
    """Angle plus the whole turns that bring it closest to the reference."""
    return angle + 2 * np.pi * float(np.round((reference - angle) / (2 * np.pi)))


def _smooth(values: np.ndarray) -> np.ndarray:
    """Moving average over TURN_FRAMES of (T,) or (T, D) values."""
    window = np.hanning(TURN_FRAMES + 2)[1:-1]
    window /= window.sum()
    pad = TURN_FRAMES // 2
    columns = values.reshape(len(values), -1).T
    smooth = [np.convolve(np.pad(column, pad, mode="edge"), window, mode="valid") for column in columns]
    return np.array(smooth).T.reshape(values.shape)


class Clip:
    """Scene over time. Iterate once: (number of the frame, image (H, W, 3) uint8 BGR, [Observation of each person]).

    Attributes:
        people: People of the scene.
        scenery: Files of the scenery.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        split: str,
        index: int,
        length: int,
        height: int,
        width: int,
        style: ClipStyle,
        step: int = 1,
    ):
        """
        Args:
            rng: Generator of everything random in the clip.
            split: Split of looks and scenery, "train", "tune" or "val".
            index: Number of the clip among those of its kind; walls take turns.
            length: Number of frames.
            height, width: Size of the images in pixels.
            style: Kind of clip.
            step: Number of frames from one that is drawn to the next.
        """
        self._rng, self._times, self.height, self.width = rng, range(0, length, step), height, width
        self._stage = Stage(rng, split, height, width, CAMERA_REACH, turn=index)
        self.scenery = self._stage.scenery
        count = int(rng.integers(MIN_PEOPLE, MAX_PEOPLE + 1))
        self.people = draw_people(rng, split, count, style.look_alike_probability, style.team_probability)
        self._actors = [
            Actor(rng, person, self._stage, length, bool(rng.random() < style.leaves_probability))
            for person in self.people
        ]
        self._offset, self._zoom = camera(rng, length, np.array(CAMERA_REACH, float))
        self._prop = None
        if rng.random() < style.prop_probability:
            foot = float(rng.uniform(0.62, 0.98) * height)
            size = float(self._stage.stature(foot) * rng.uniform(0.4, 0.9))
            self._prop = (draw_thing(rng, split), float(rng.uniform(0, width)), foot, size, bool(rng.random() < 0.5))
        self._light = ChangingLight(rng, length, height, width, style.light_drift)
        self._sensor = Sensor(rng, height, width, max_noise=5.0, blur_probability=0.2)

    def __len__(self) -> int:
        return len(self._times)

    def __iter__(self) -> Iterator[tuple[int, np.ndarray, list[Observation]]]:
        for time in self._times:
            offset, zoom = self._offset[time], float(self._zoom[time])
            items: list[Item] = [actor.figure(time, offset, zoom) for actor in self._actors]
            if self._prop:
                items.append(self._placed_prop(offset, zoom))
            lit, people = compose(self._stage.image(offset, zoom), items, self._light.at(time))
            yield time, self._sensor.expose(self._rng, lit), people

    def _placed_prop(self, offset: np.ndarray, zoom: float) -> Prop:
        assert self._prop is not None
        sprite, x, foot, size, mirrored = self._prop
        center = np.array([self.width, self.height]) / 2
        x, foot = (np.array([x, foot]) - offset - center) * zoom + center
        return draw_prop(sprite, float(x), float(foot), size * zoom, mirrored)
