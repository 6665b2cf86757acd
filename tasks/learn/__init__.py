"""Classical models of tables: chosen by nested cross-validation, with deviations, as files without pickles."""
