"""Documents of atomate2 and emmet as records, and back where they can hold one."""
