r"""`python -m labkd`: the command line, see `lab/cli.py`."""

import sys

from labkd.lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
