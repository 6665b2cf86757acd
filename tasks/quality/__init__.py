"""Which records can be trusted, and how they may be used together."""
