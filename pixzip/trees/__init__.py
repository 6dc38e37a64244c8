"""Trees of many files: what is done (the manifest), who does what (shards), and where it is done (pools)."""
