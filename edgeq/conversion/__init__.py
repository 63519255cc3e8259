"""What convert() is made of: the order and its place in the cache, the samples and their use, the candidates, the bundle."""
