"""``python -m dynsearch.cli``, as torchrun was told to start it before there was ``python -m dynsearch``."""

from dynsearch.cli.main import main

if __name__ == "__main__":
    main()
