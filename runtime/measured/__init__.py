"""What a simulated run shows: where its time went, what moved, what that cost. All from the times of its movements."""
