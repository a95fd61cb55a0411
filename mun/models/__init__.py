"""The network: stems per modality, a shared trunk, pooling and BN neck."""
