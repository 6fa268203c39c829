"""See the docstring that belongs here."""
