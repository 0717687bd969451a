"""`python -m hordenode` is the command line."""

from hordenode.cli import main

if __name__ == "__main__":
    main()
