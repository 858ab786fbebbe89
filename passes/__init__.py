"""One pass per file; the stem of the file is the name of the pass."""
