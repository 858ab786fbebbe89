"""From launches to the records of a binary."""
