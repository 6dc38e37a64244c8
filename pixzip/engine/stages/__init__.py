"""Stages: what stands between a model and an entropy coder and learns an image while it is coded."""
