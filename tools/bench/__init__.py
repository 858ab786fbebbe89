"""``tfmbs-bench``: measured claims, with peers side by side in the same run."""
