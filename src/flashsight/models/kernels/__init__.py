"""Fused Triton kernels of the CUDA path. A module of this package but `capability` needs triton to be imported.

Every kernel computes in float32 whatever it reads, and has a plain torch counterpart in the model, its reference.
"""
