"""What the field's public evaluation code prints on inputs that are made by formula."""

# Printed by the evaluation functions of AGW and its successors on the inputs of `benchmarks/evaluation.py`. The number
# of valid queries is counted from the layout: no gallery image shows id 96 (20 queries), indoors none ids above 56.
PARITY = {
    "sysu-all": ([0.237906, 0.546920, 0.707639, 0.849590], 0.231894819815, 0.105846674822, (3803, 301), 3783),
    "sysu-indoor": ([0.267786, 0.593460, 0.740610, 0.893504], 0.357021486669, 0.298252429649, (3803, 112), 2263),
    "regdb-v2i": ([0.215049, 0.496602, 0.641748, 0.767476], 0.108717469219, 0.015849931182, (2060, 2060), 2060),
}
