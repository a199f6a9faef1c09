"""``python -m edge.vision`` is the vision process."""

from edge.vision.process import main

main()
