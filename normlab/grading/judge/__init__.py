"""What a submission is worth: the `grader`, and its `verdict` in points and in words.

`run` has one submission's cells run and its functions called, `answers` reads what came back as
numbers of a stranger, and `attempts` keeps what is known of each task on the way. `made_with` is
the digest by which a verdict that was kept stands or falls. It knows nothing of a class.
"""
