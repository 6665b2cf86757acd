"""Judge materials and models: equations of state, convex hulls, error metrics."""
