"""What potentials are used for: relaxation, molecular dynamics and vibrations of many structures at once."""
