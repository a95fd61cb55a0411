"""Class-activation maps, and tests of their faithfulness."""
