"""How the integer kernels of onnxruntime and LiteRT round, for outputs that equal the file's: a module for each kind of operator, which
in_graph.py puts in its place.
"""
