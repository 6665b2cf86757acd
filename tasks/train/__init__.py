"""The trainer: one loop for property models, potentials and the denoiser, on one process or on many."""
