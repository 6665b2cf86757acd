"""Models and how they are trained, saved and read back."""
