"""The work of the commands: a command imports its module after the cheap checks."""
