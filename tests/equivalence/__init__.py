"""The proof that both engines give the same answers, the same errors and the same bits."""
