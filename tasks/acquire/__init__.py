"""Which candidates deserve a label: scores, trust, and batches that are no copies of one another."""
