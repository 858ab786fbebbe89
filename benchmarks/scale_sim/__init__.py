"""Our simulator beside SCALE-Sim 3.0.0: cycles under its assumptions, and wall time in the same run."""
