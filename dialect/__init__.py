"""What the IR can say: the ``tfmbs`` types, attributes, ops and verifiers, and which ops each level admits."""
