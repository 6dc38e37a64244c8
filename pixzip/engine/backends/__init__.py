"""The same arithmetic on different machines: one folder a library, the same file name for the same job."""
