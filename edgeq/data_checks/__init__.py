"""Checks samples and labels before a model is converted: each file finds one kind of fault.

What is certain is refused, what is likely is a warning. Sound samples must never be warned about, so that each check asks
for more than one sign, or for one that sound samples cannot have. Nothing here knows how a model is quantized.
"""
