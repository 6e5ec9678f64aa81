"""GLM-4.6V-Flash and its family (model_type `glm4v`), written natively. Knows nothing of files, caches or requests."""
