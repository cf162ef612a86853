"""The code versions of a loaded project: each computation and check with its semantic options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from assetflow.definitions.schema import is_schema
from assetflow.errors import DefinitionError, DefinitionErrors
from assetflow.fingerprint.code import Fingerprint, SourceCache, fingerprint
from assetflow.fingerprint.sources import read_source
from assetflow.graph import AssetGraph, check_options, semantic_options, written_objects
from assetflow.keys import AssetKey, CodeVersion
from assetflow.planner.state import CodeRecord, Codes
from assetflow.store.records import CodeSource


@dataclass(frozen=True, slots=True)
class ProjectCode:
    """What the code is now, for the planner and for the store; ``untracked`` by computation name, as sentences."""

    codes: Codes
    sources: tuple[CodeSource, ...]
    untracked: Mapping[str, tuple[str, ...]]


def project_code(
    graph: AssetGraph, inside: Callable[[str], bool], read: Callable[[str], str] = read_source
) -> ProjectCode:
    """Fingerprint every computation and check; ``read`` gives the text of a file.

    Raises DefinitionErrors for those without retrievable source.
    """
    cache = SourceCache(read)
    errors: list[DefinitionError] = []
    computations: dict[str, CodeRecord] = {}
    checks: dict[tuple[AssetKey, str], CodeVersion] = {}
    sources: list[CodeSource] = []
    untracked: dict[str, tuple[str, ...]] = {}

    def made(
        name: str,
        function: Callable[..., object],
        options: Mapping[str, str],
        code_version: str | None,
        objects: Mapping[str, object] | None = None,
    ) -> Fingerprint | None:
        try:
            found = fingerprint(
                function,
                inside=inside,
                options={option.removeprefix("option:"): text for option, text in options.items()},
                cache=cache,
                skip=is_schema,
                code_version=code_version,
                objects=objects,
            )
        except DefinitionError as error:
            errors.append(error)
            return None
        sources.append(CodeSource(found.version, found.components, found.sources))
        if found.untracked:
            untracked[name] = found.untracked
        return found

    for name, node in graph.nodes.items():
        if node.kind == "asset":
            computation = node.computation
            found = made(
                name, computation.function, semantic_options(node), computation.code_version, written_objects(node)
            )
            if found:
                computations[name] = CodeRecord(found.version, found.components)
        for key in node.outputs:
            for check in graph.checks.get(key, ()):
                found = made(f"{key}:{check.name}", check.function, check_options(check), check.code_version)
                if found:
                    checks[key, check.name] = found.version
    if errors:
        raise DefinitionErrors(errors)
    return ProjectCode(Codes(computations, checks), tuple(sources), untracked)
