"""Average precision and multi-object tracking of poses, as PoseTrack defines them."""
