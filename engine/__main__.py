"""`python -m engine` is the `gazecheck` command."""

from engine.cli.main import main

if __name__ == "__main__":
    main()
