"""Classical models of tables, chosen by nested cross-validation, as files without pickles."""
