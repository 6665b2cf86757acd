"""Where every number of a campaign comes from: asked, compared, run again, exported and opened."""
