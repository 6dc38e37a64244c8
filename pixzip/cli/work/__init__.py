"""The work of the commands: each module is imported when its command has passed the cheap checks."""
