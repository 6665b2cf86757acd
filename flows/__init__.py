"""jobflow Makers that wire tasks into graphs; no numerics here."""
