"""Run-time sizes: one binary for a range of sizes, from what the ordinary pipeline gives for some of them."""
