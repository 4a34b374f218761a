"""Studies: proposing plans, evaluating them, and keeping the record in Optuna."""
