"""The same arithmetic on different machines: one folder per library; files for the same job share a name."""
