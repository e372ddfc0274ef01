"""Rules of MOTChallenge, MOTS and KITTI MOTS: what counts, before the association metrics."""
