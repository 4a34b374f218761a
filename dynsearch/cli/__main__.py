"""``python -m dynsearch.cli`` is the ``dynsearch`` command."""

from dynsearch.cli.main import main

main()
