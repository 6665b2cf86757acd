"""Generators of crystals: trained on known ones, they draw new ones, freely or as wished for."""
