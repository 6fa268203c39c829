"""What runs where the learner's code runs: nothing in this folder knows an answer.

`warm` (or `plain`) gets ready, and a `child` of it runs a notebook's cells and calls
its functions with what the grader sends. The files are copied to a folder of their own
(`normlab.grading.prison.view`) and imported there, beside NumPy and the standard library, and
nothing else of this package than `wire` and `reading` of `normlab.grading.prison` and what
`normlab.exercises` calls functions with.
"""
