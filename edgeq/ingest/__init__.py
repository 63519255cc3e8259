"""Models in, data in: `open_model`, `samples`, `preprocess`, `split`."""
