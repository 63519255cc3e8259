"""Quantization-aware training: the torch side. It takes torch (`pip install edgeq[torch]`) and knows no device and no request."""
