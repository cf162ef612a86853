"""``python -m assetflow``: the command line."""

from __future__ import annotations

from assetflow.cli.main import main

main()
