"""Writes .dvc/plots/page.html, the page of `dvc plots` with the code that draws inside it.

DVC's own page takes that code from the network. Needs npm; run it again for other versions only.
"""

import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

PAGE = Path(__file__).parents[1] / ".dvc" / "plots" / "page.html"
# The last ones of the major versions that dvc-render asks for; earlier ones ran code of the data.
VERSIONS = {"vega": "5.33.1", "vega-lite": "5.23.0", "vega-embed": "6.29.0"}
LICENSE = "vega-lite"  # whose text is that of the three, by the same authors
TEMPLATE = """\
<!DOCTYPE html>
<!--
The page of `dvc plots`, made by .ci/plots_page.py. Inside is {names},
by the University of Washington Interactive Data Lab and contributors, under this license:

{license}
-->
<html>
<head>
<meta charset="utf-8">
{{refresh_tag}}
<title>Spinlock: plots</title>
<style>
body {{ font-family: sans-serif; margin: 1rem; }}
body > div {{ display: inline-block; vertical-align: top; margin: 0.5rem; max-width: 100%; }}
img {{ max-width: 100%; height: auto; }}
</style>
{scripts}
</head>
<body>
{{plot_divs}}
</body>
</html>
"""


def main() -> None:
    """Fetch the three packages and write the page."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = [_script(Path(folder), *item) for item in VERSIONS.items()]
        text = _text(Path(folder), LICENSE, VERSIONS[LICENSE], "LICENSE").strip()
    names = ", ".join(f"{name} {version}" for name, version in VERSIONS.items())
    page = TEMPLATE.format(names=names, license=text, scripts="\n".join(scripts))
    PAGE.write_text(page, encoding="utf-8")


def _script(folder: Path, name: str, version: str) -> str:
    """The element that holds the code of a package."""
    code = _text(folder, name, version, f"build/{name}.min.js").strip()
    code = re.sub(r"\n//# sourceMappingURL=.*", "", code)
    if "</script" in code:
        raise SystemExit(f"{name} {version}: cannot stand inside a page")
    return f'<script data-package="{name}@{version}">\n{code}\n</script>'


def _text(folder: Path, name: str, version: str, member: str) -> str:
    """A file of a package of npm's registry."""
    packed = subprocess.run(
        ["npm", "pack", "--json", f"{name}@{version}"],
        cwd=folder, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    with tarfile.open(folder / json.loads(packed)[0]["filename"]) as archive:
        file = archive.extractfile(f"package/{member}")
        assert file is not None
        return file.read().decode("utf-8")


if __name__ == "__main__":
    main()
