"""Names of the joints of poses whose set of joints is not stated."""

from __future__ import annotations

from ..joints import joints_of


def joint_names(num_joints: int) -> tuple[str, ...]:
    """Names of J joints: COCO's or PoseTrack's, or else "joint_0" and so on."""
    try:
        return joints_of(num_joints).names
    except ValueError:
        return tuple(f"joint_{index}" for index in range(num_joints))
