"""Types, the error tree, configs and telemetry that every other layer shares. Imports none of them, and no torch.

One legend of tensor shapes for the whole package: the capital letters at the end of a tensor's name are its axes.

    T  packed tokens of a step     N  sequences of a step      L  positions of one sequence
    C  hidden size                 H  query heads              G  key/value heads
    D  head size                   V  vocabulary               P  packed patches of a step
    M  merged picture tokens       B  blocks of the KV cache   S  slots in a block
"""
