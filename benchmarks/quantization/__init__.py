"""edgeq's quantization beside that of its peers, on the same models and samples, in one run."""
