"""The functions of edgeq's commands, one file each: straight lines of calls. They print nothing: what happens is told to `tell`."""
