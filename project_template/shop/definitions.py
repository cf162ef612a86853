"""Everything that assetflow knows of this project; pyproject.toml names it."""

from __future__ import annotations

from assetflow import Definitions

from shop import assets, checks, sources

defs = Definitions.from_modules(sources, assets, checks)
