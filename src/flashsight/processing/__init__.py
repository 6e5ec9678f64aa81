"""From media and text to what the model reads, and from its tokens back to text. Knows no engine and no HTTP."""
