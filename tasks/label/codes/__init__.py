"""How to talk to each DFT code, and what to read of its answer."""
