"""What potentials are asked in ready campaigns: cathodes, ferroelectrics, polymorphs."""
