"""From raw labels to records that can be trusted."""
