"""Two checkouts of one pipeline, one of them edited, that share a landing and a store."""

from __future__ import annotations

from pathlib import Path

from tests.mill import Project

EDIT = ("return [shop for shop in", "return [shop.upper() for shop in")


class Checkout(Project):
    """A copy of the shop, in a folder of its own, whose landing and store are the common ones."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "../landing", "../store")

    def configure(self, extra: str) -> None:
        """Add to its configuration; the landing and the store lie beside it."""
        path = self.folder / "luigi.cfg"
        text = path.read_text(encoding="utf-8")
        common = f"landing = {self.landing.resolve()}\nstore = {self.store.resolve()}"
        path.write_text(text.replace("landing = landing", common) + extra, encoding="utf-8")

    def edit(self, old: str, new: str) -> None:
        """Edit its code: what is replaced must be there."""
        path = self.folder / "shop.py"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def slumps(self, *options: str, expect: int = 0) -> list[str]:
        """Run the shop; what that built."""
        said = self.luigi("shop", "Slumps", *options, expect=expect)
        return [] if said.splitlines()[-1].startswith("nothing to do") else self.built()

    def value(self, day: str) -> str:
        """What it finds for a day."""
        program = f"import pipeline, shop; print(*pipeline.load(shop.Slumps(dates='{day}')).values())"
        return self.run("python", "-c", program).strip()


def side_by_side(folder: Path, extra: str = "") -> tuple[Checkout, Checkout]:
    """One as it is, and one with an edit."""
    made = []
    for name in ("one", "other"):
        Project.example("shop", folder / name)
        made.append(Checkout(folder / name))
    (folder / "one" / "landing").rename(folder / "landing")
    for checkout in made:
        checkout.configure(extra)
    one, other = made
    other.edit(*EDIT)
    return one, other
