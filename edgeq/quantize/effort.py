"""How much work a conversion does to come closer to float: `--effort`, which passes read as `context.options.effort`."""

QUICK, DEFAULT, BEST = "quick", "default", "best"

EFFORTS = (QUICK, DEFAULT, BEST)
"""In the order of their work."""
