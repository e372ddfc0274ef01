"""Association metrics: HOTA, CLEAR and Identity."""
