"""Measures answers: time to first token, time per token, answers per second. Drives `service`; prints nothing."""
