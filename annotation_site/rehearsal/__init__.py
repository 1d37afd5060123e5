"""Load, chaos and rehearsal: simulated people against a real server of this site."""
