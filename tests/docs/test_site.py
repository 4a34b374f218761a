"""The documentation as a site: every page is in it, every link leads somewhere, and it searches without network."""

import importlib.util
import re
import sys

import pytest

from tests.browser import chromium, needs_browser
from tests.docs import fields_page
from tests.docs.guide import DOCS


def test_the_page_of_fields_is_that_of_the_source():
    assert fields_page.PAGE.read_text(encoding="utf-8") == fields_page.page(), "make fields"


def test_every_field_has_a_meaning():
    for line in fields_page.page().splitlines():
        assert not re.fullmatch(r"\| `\w+` \| .* \|  \|", line), line


@pytest.fixture(scope="module")
def site():
    pytest.importorskip("markdown2", reason="needs markdown2: make install")
    spec = importlib.util.spec_from_file_location("site_of_docs", DOCS / "site.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(site, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    site.write(folder)
    return folder


def test_every_page_is_in_the_menu(site):
    names = {name for names in site.PAGES.values() for name in names}
    assert names == {path.stem for folder in (DOCS, DOCS.parent) for path in folder.glob("*.md")}


def test_every_link_leads_somewhere(folder):
    ids = {path.name: set(re.findall(r' id="([^"]+)"', path.read_text())) for path in folder.glob("*.html")}
    broken = []
    for path in folder.glob("*.html"):
        main = path.read_text().split("<main>")[-1].split("</main>")[0]
        for target in re.findall(r'(?:href|src)="([^"]+)"', main):
            name, _, place = target.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            page = name or path.name
            if page.endswith(".html"):
                there = page in ids and (not place or place in ids[page])
            else:  # A file of the repository.
                there = any((base / name).exists() for base in (folder, DOCS, DOCS.parent))
            if not there:
                broken.append(f"{path.name}: {target}")
    assert broken == []


@needs_browser
def test_search_works_without_network(folder):
    with chromium() as browser:
        page = browser.open((folder / "which-command.html").as_uri())
        page.run(
            "document.getElementById('find').value = 'one_shot.retrain';"
            "document.getElementById('find').dispatchEvent(new Event('input'))"
        )
        found = page.run("[...document.querySelectorAll('#found a')].map(a => a.getAttribute('href'))")
        assert found
        assert all((folder / address.split("#")[0]).is_file() for address in found)
        assert page.complaints() == []
        assert all(url.startswith("file:") for url in page.requests())
