"""How good a round's answers are: figures, flags, rules, the ledger of exclusions, second looks."""
