"""What a round of active learning consists of besides exploring, choosing, labelling and training."""
