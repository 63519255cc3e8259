"""What convert() is made of: the job and its place in the cache, the samples and their use, the candidates, the bundle."""
