"""What training for a quantized file costs and gains, beside float training and other quantizers."""
