"""Tables of many runs: what is compared, how the runs are made, and what may be said of them."""
