"""What MkDocs calls while it builds the site: see ``docs/generator/``."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File

from generator import formulas, modules, navigation, references
from generator.pages import pages


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages, and expand the patterns of the navigation."""
    for page in pages():
        files.append(File.generated(config, page.path, content=page.text))
    config.nav = navigation.expanded(config.nav, [file.src_uri for file in files.documentation_pages()])
    return files


def on_page_content(html: str, page: Any, files: Any, **_: Any) -> str:
    """Set formulas, and link what is named of the package to its reference."""
    places = {name: files.get_file_from_path(modules.path(name)) for name in modules.names()}
    addresses = {name: place.url_relative_to(page.file) for name, place in places.items()}
    return references.linked(formulas.rendered(html), addresses)
