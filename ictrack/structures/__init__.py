"""What is tracked, in NumPy: run-length encoded masks, tracks, and the files that hold them."""
