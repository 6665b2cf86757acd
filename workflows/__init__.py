"""What a person submits and touches: campaigns, the engine that runs them, reports, the command line."""
