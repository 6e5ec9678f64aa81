"""How the built-in checkpoint is made: pictures and questions, tokenizer, training, evaluation, export."""
