"""The embedded data set: twelve classes of small made videos, eight of which need the order of frames."""
