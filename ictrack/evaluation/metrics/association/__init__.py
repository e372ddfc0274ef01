"""HOTA, CLEAR and Identity: how well tracks keep the identities of the ground truth."""
