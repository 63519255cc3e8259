"""Weights of 4 or 8 bits in blocks that have a scale each, for onnxruntime's MatMulNBits.

products    the matrix products with fixed weights that it can stand in for
blocks      a matrix as integers, scales and zero points
rounding    its integers, chosen by what they do to the products
moments     what the products' inputs have to do with each other
variant     all of it as a file
"""
