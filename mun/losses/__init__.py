"""The losses of MUN and of its baselines."""
