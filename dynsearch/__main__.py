"""``python -m dynsearch`` is the ``dynsearch`` command."""

from dynsearch.cli.main import main

if __name__ == "__main__":
    main()
