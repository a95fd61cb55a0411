"""Maps of what a network looks at, and what they are worth."""
