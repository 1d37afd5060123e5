"""What every page shares: base context, access, charts, error pages, start-up checks."""
