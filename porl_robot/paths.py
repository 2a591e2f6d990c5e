"""Where the program's own data lies, from a checkout and from an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

_MARKER = ".porl_robot"


def data_dir(name: str) -> Path:
    """The folder `configs` or `calibration`.

    Raises:
        FileNotFoundError: neither the checkout nor the installed package holds it.
    """
    package = Path(__file__).resolve().parent
    # Beside an installed package lies site-packages, where a foreign folder may have the same name.
    for folder in (package.parent / name, package / f"_{name}"):
        if (folder / _MARKER).is_file():
            return folder
    raise FileNotFoundError(f"no {name} folder with a {_MARKER} file beside or inside {package}")
