"""nn.Modules, attention backends, weight names and loading. Knows tensors and checkpoints; never text or requests."""
