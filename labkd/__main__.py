r"""`python -m labkd`: the command line, see `lab/cli.py`."""

import sys


def _main() -> int:
    # Who changes their mind while it is imported gets one line too.
    try:
        from labkd.lab.cli import main
    except KeyboardInterrupt:
        print("labkd: interrupted", file=sys.stderr)
        return 130
    return main()


if __name__ == "__main__":
    sys.exit(_main())
