"""How bytes and commands reach a device: a seam of five methods (base.py) with two sides, ssh and local."""
