"""Video average precision and association of mask tracks, as YouTube-VIS and OVIS define them."""
