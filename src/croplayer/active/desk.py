"""`python -m croplayer.active.desk`: another name of `python -m croplayer.desk`."""

from __future__ import annotations

import sys

from croplayer.desk.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
