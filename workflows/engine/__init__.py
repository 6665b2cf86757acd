"""The engine: runs any jobflow graph durably on Parsl."""
