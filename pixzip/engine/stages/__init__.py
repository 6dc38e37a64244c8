"""Stages between a model and an entropy coder, which learn an image while it is coded."""
