"""Workloads of the simulator: what is run, what no machine of the target could beat, and the suites of them."""
