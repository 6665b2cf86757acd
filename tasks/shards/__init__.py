"""Graphs on disk, in files that many processes read without copies, and batches of even size from them."""
