"""Fits a quantized layer's weights and bias to its float outputs, on the inputs that it gets once quantized.

Layer by layer from the inputs to the outputs, each fitted to the rounding errors of all layers before it, in closed
form and without gradients: least squares with GPTQ rounding. Operators and speed of the file stay as they are.
"""
