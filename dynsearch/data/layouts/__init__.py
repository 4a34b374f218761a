"""Official and general layouts of data sets: where the videos are and what the annotation files say."""
