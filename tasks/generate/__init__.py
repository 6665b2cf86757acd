"""New configurations: enumeration of orderings, strained and rattled."""
