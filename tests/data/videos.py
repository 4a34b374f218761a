"""Videos made for tests, in the codecs of the official data sets."""


def encode(path, frames, codec="libx264", rate=12, **options):
    """Write frames, uint8 (H, W, 3) each, with one of PyAV's encoders; return ``path``."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = options
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path
