"""What the exercises are made of: for each task what one runs, and what one reads.

``NAME.py``
    The model: a right answer, in the words of the lesson. ``cases(rng)``: what it is called with.
``NAME.toml``
    The title, the aspects with their points, and the mistakes: each a small change of the model's
    text, with what to say of it.
``families/NAME.toml``
    Mistakes that several tasks share.
``scripts/NAME.py``
    How an answer that is a class, or a function of torch objects, is put to use. No answer is in
    these files: they are what a submission's process gets to see.
``contents.toml``
    What each lesson has its reader write, and the graded tasks of each exercise notebook, in order.

`normlab.exercises` reads all this; ``normlab show NAME`` prints it.
"""
