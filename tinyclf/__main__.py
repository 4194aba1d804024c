"""``python -m tinyclf`` is the ``tinyclf`` command."""

from tinyclf.cli import main

main()
