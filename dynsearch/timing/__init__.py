"""What a video costs in measured time: tables measured once on a device, and plans costed with them by addition."""
