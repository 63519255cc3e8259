"""Chooses a quantized layer's integers anew, so that its outputs come close to float's on the inputs it really gets.

Layer by layer from the inputs to the outputs: each is fitted to the rounding errors of all layers before it, in closed
form and without gradients. Weights, scales and biases change in the finished file; its operators and their speed do
not.
"""
