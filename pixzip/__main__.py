"""`python -m pixzip`."""

from pixzip.cli import main

if __name__ == "__main__":
    main(prog_name="pixzip")
