"""What the process panel shows, whichever face shows it: the sidebar (through the server) or the widget."""
