"""The science: pure functions and models, with thin jobflow jobs around them."""
