"""Files, streams and folders of the command line, and the signals that may end it."""
