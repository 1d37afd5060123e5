"""People from panels: how they arrive, what they are told at the end, and what the panel says of them."""
