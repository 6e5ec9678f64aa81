"""Engines on kernels of our own."""

from tests.support.interpreter import use_interpreter

use_interpreter()
