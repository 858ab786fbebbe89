"""Importers, the pipelines as data, target loading, emission and the API; the only place that orders things."""
