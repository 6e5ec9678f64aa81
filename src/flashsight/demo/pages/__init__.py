"""Screens of public UI kits, rendered once by a real browser, with the place of every letter."""
