"""Where new structures come from: explorers propose candidates, none of which has a label yet."""
