"""Turns token ids and pictures into token ids: schedules, runs the model, samples. Never sees text, bytes or HTTP."""
