"""The stories of edgeq: straight lines of calls, one file each. They print nothing: what happens is told to `tell`."""
