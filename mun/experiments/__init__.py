"""Tables of many runs: their definition, the runs, the choice, the statistics, the report."""
