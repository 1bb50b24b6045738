# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of Sphinx. "make docs" puts this folder beside the pages that antsibull-docs writes."""

from pathlib import Path

HERE = Path(__file__).parent

project = "openeuler.livepatch"
extensions = ["sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
default_role = "any"
highlight_language = "YAML+Jinja"
nitpicky = True
pygments_style = "ansible"
# Of Ansible's documentation, the pages that ours link to. "make docs" writes the file, and so needs no network.
intersphinx_mapping = {"ansible": ("https://docs.ansible.com/projects/ansible/devel/", str(HERE / "ansible.inv"))}

html_title = "openeuler.livepatch"
html_theme = "sphinx_ansible_theme"
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options = {
    "collapse_navigation": False,
    "documentation_home_url": "index.html",
    "navigation_depth": 2,
    "show_extranav": False,
    "show_rtd_ethical_ads": False,
    "titles_only": True,
    "topbar_links": {},
}
