"""Files, streams and folders of the command line, and signals that may end it."""
