"""Calibration: what products see on samples, the ranges that observers make of it, and files that keep them."""
