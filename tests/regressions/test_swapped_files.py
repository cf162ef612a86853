"""Files whose contents are swapped are a change, although all the names, sizes and bytes are the same."""

from __future__ import annotations

from typing import Any

CODE = """
    from pathlib import Path

    from assetflow import Definitions, asset, observable_source
    from assetflow.io import InputContext, OutputContext, StagedOutput

    class Letters(dict):
        pass

    class LetterManager:
        name = "letters"
        versioned = True
        external = False
        cross_process = True
        types = (Letters,)

        def stage(self, context: OutputContext, value: object) -> StagedOutput:
            folder = context.folder()
            for name, text in value.items():
                (folder / name).write_text(text)
            return StagedOutput(storage="letters", files=tuple(value))

        def load(self, context: InputContext, expected_type: type) -> object:
            (partition,) = context.partitions
            return Letters({file.path.name: file.path.read_text() for file in partition.files})

    @observable_source
    def letter_file() -> str:
        return Path("letters").read_text()

    @asset(deps=[letter_file], io_manager="letters")
    def letters() -> Letters:
        first, second = Path("letters").read_text().split()
        return Letters({"a.txt": first, "b.txt": second})

    @asset
    def joined(letters: list[Path]) -> str:
        return " ".join(path.read_text() for path in sorted(letters))

    defs = Definitions(assets=[letter_file, letters, joined], io_managers={"letters": LetterManager()})
"""


def test_swapped_contents_are_a_change(folder: Any) -> None:
    folder.code(CODE)
    folder.write("letters", "x y")
    folder.run()
    assert folder.value("joined") == "x y"
    folder.write("letters", "y x")
    assert folder.run().counts["materialized"] == 2
    assert folder.value("letters") == {"a.txt": "y", "b.txt": "x"}
    assert folder.value("joined") == "y x"


def test_the_same_contents_are_none(folder: Any) -> None:
    folder.code(CODE)
    folder.write("letters", "x y")
    folder.run()
    folder.write("letters", "x  y")
    assert folder.steps() == {"letters": "will", "joined": "may"}
    result = folder.run()
    assert (result.counts["materialized"], result.counts["unchanged"]) == (0, 2)
    with folder.open() as project:
        assert len(project.versions("letters")) == 1
        left = sorted(path.name for path in (project.storage.root / "letters").glob("v-*"))
        assert len(left) == 1, "the equal one was thrown away"
