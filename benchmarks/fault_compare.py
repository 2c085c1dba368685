"""Are the outputs of two runs of the workflow the same, apart from the times in them?"""

from __future__ import annotations
