"""FlashSight: a vision-language model behind a page, an OpenAI-compatible API and a notebook, offline."""

__version__ = "0.1.0"
