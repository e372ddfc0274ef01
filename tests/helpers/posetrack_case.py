"""The images of a PoseTrack sequence, as a file of annotations lists them."""

NAME = "000342_mpii_test"


def images(num_frames=3, name=NAME):
    return [
        {
            "id": 10003420000 + t,
            "file_name": f"images/val/{name}/{t:06d}.jpg",
            "is_labeled": True,
        }
        for t in range(num_frames)
    ]
