"""Quantization-aware training: the torch side (`pip install edgeq[train]`). It knows no device and no request, and nothing of the
core imports it when it is loaded.
"""
