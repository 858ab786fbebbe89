"""Verification of a model against another implementation of it, layer by layer."""
