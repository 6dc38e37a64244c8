"""One Triton kernel for all steps of a tile."""
