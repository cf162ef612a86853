"""The read side: SQL over what is recorded and over the data, lineage, and previews."""

from __future__ import annotations

from assetflow.catalog.catalog import Catalog

__all__ = ["Catalog"]
