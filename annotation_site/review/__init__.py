"""What a closed round brought: scores, cells, before and after."""
