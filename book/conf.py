"""Sphinx's settings for the book; `make site` runs it."""

import re
from importlib.metadata import version as version_of

ARGUMENT = re.compile(r"[\w*][\w*, .]{0,40}: ")

project = "wslab"
author = "The wslab authors"
copyright = "the wslab authors, CC BY 4.0"
version = release = version_of("wslab")
html_title = "WebSocket, byte by byte"

extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["extra"]  # build.py hands them over as they are
nb_execution_mode = "off"  # the tests have proven the recorded outputs
nb_merge_streams = True
nb_render_error_lexer = "text"  # our tracebacks are shorter than IPython's
nb_code_prompt_show = "Show the {type}"
nb_code_prompt_hide = "Hide the {type}"
myst_enable_extensions = ["strikethrough"]
myst_heading_anchors = 4
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
add_module_names = False
pygments_style = "a11y-light"

html_theme = "sphinx_book_theme"
html_static_path = ["static"]
html_css_files = ["book.css"]
html_copy_source = False
html_domain_indices = False  # the pages of the rooms are such a list
html_show_sourcelink = False
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "navbar_persistent": [],  # the side bar has the search
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def as_rest(_app, _what, _name, _object, _options, lines):
    """Turn a docstring into reStructuredText.

    Docstrings are plain text: paragraphs with `code`, lists of arguments ("name: what it means"),
    bullets, and pictures, which are indented and stay as they are.
    """
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    lines[:] = [*"\n\n".join(map(as_block, blocks)).split("\n"), ""]


def as_block(text):
    found = text.split("\n")
    if found[0].startswith(("- ", "* ", "1. ")):
        return marked_up(text)
    if any(line.startswith(" ") for line in found):
        return "::\n\n" + "\n".join(f"    {line}" for line in found)
    if ARGUMENT.match(found[0]):
        begins = [f"* {line}" if ARGUMENT.match(line) else f"  {line}" for line in found]
        return marked_up("\n".join(begins))
    return marked_up(text)


def marked_up(text):
    text = re.sub(r"`+([^`]+)`+", r"``\1``", text)
    return re.sub(r"(?<![`\w\\])(\*+)(?=\w)", lambda found: found[1].replace("*", r"\*"), text)


def is_foreign(_app, _what, _name, found, skip, _options):
    """Tell autodoc to leave out what a class has from elsewhere, such as the library's methods."""
    is_ours = str(getattr(found, "__module__", None) or "wslab").startswith("wslab")
    is_field = type(found).__name__ == "_tuplegetter"  # of a named tuple; its text says nothing
    return skip or not is_ours or is_field or "<locals>" in str(getattr(found, "__qualname__", ""))


def name_by_text(_app, _page, _template, context, _tree):
    """Let the button of a fold have the name that it shows, and no second one."""
    body = context.get("body", "")
    context["body"] = body.replace(' aria-label="Toggle hidden content"', "")


def setup(app):
    app.connect("html-page-context", name_by_text)
    app.connect("autodoc-process-docstring", as_rest)
    app.connect("autodoc-skip-member", is_foreign)
