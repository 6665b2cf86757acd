"""Numbers that describe crystals to models."""
