"""One-shot search: train the grid once, search exits, frame orders and thresholds on arrays, retrain the best."""
