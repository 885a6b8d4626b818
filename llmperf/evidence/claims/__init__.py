"""Published results: their files, and what is recomputed of them."""
