"""Records from tables and databases: files of many structures, and what other people's servers hold."""
