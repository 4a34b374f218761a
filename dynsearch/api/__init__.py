"""What Python and the command line both call: studies, evaluation, and what they show while they run."""
