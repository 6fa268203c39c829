"""The command line.

``normlab lab`` opens the course, ``normlab mnist`` trains its network in a terminal, and
``normlab progress`` shows a learner's points.
"""
