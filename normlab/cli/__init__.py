"""The command line: ``normlab lab`` opens the course, ``normlab mnist`` trains in a terminal."""
