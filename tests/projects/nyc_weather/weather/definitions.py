"""Everything that assetflow knows of this project; pyproject.toml names it."""

from __future__ import annotations

from assetflow import Definitions
from weather import assets, sources

defs = Definitions.from_modules(sources, assets)
