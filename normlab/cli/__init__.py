"""The command line.

``normlab lab`` opens the course, ``normlab mnist`` trains its network in a terminal, and
``normlab progress`` shows a learner's points. For teachers: ``normlab release`` makes the students'
bundle, ``normlab grade`` grades what they hand in, ``normlab export`` hands the grades on.
For authors of exercises: ``normlab try`` proves a task, and ``normlab show`` prints it.
"""
