"""Neural networks over graphs of crystals: modules that take a batch and return predictions, nothing else."""
