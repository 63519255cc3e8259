"""Makes a float network smaller before it is quantized and trained."""
