"""`python -m pipeline`: the same commands as `headrace`."""

import sys

from pipeline.cli import main

sys.exit(main())
