"""What cameras, file servers and desktops leave beside videos, which is never a video of its own."""

from __future__ import annotations

_NAMES = {
    "__macosx", "@eadir", "@synoresource", "@recycle", "@tmp", "#recycle", "#snapshot", "$recycle.bin", "recycler",
    "system volume information", "lost+found", "network trash folder", "temporary items", "__pycache__",
    "thumbs.db", "desktop.ini",
}  # fmt: skip


def is_byproduct(name: str) -> bool:
    """Return whether a file or folder of this name, with all below it, is hidden, a preview, an index or a bin."""
    return name.startswith((".", "~$")) or name.lower() in _NAMES
