"""How potentials of our own are made: from labelled structures to weights in a folder."""
