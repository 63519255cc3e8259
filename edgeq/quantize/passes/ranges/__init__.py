"""From samples to ranges of activations: what calibrate.py sees by and range_search.py chooses with.

observed_graph   an ONNX graph that finds its tensors' extremes itself
converged        when enough samples were seen
kept             what was seen of a model and samples, on disk
stored_seen      that as arrays
reranged         a quantized file with other ranges, without quantizing anew
closeness        how far a file's outputs are from float's, sample by sample
per_tensor       another way for single tensors, where the outputs say so
"""
