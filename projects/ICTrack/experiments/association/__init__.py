"""Association methods compared on the same detections, of objects and of people."""
