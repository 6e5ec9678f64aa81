"""`python -m flashsight`: the same as the `flashsight` command."""

from flashsight.cli import main

if __name__ == "__main__":
    main()
