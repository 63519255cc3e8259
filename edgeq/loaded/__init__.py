"""A bundle, a model file or a release as a model in Python: called with arrays, measured and summarized.

Runs files by edgeq_runtime.py, as applications on a device do.
"""
