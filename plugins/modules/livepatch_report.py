#!/usr/bin/python

# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: livepatch_report
short_description: Make one report from the live patches of all hosts
version_added: 1.0.0
description:
  - Turns the facts of M(openeuler.livepatch.livepatch_facts), of this run or of a fact cache, into one report on the controller.
    It tells which hosts have which fix, which have not, and why.
  - Files are replaced as a whole, and only if their content changes. With the same facts and the same O(now) each is the same, byte for byte.
  - Runs on the controller without a connection to any host, so it makes a report of hosts that cannot be reached as well.
  - Facts of a host that are not understood are told of that host, and do not fail the report.
  - The words and the files are described in R(the guide, ansible_collections.openeuler.livepatch.docsite.report).
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - openeuler.livepatch._attributes
attributes:
  idempotent:
    support: partial
    details:
      - The report tells the age of the data. A second run makes no change only if O(now) is given.
options:
  dest:
    description:
      - The directory on the controller that the files are put into. It is made if it is missing.
      - A relative one is below the current directory.
    type: path
    required: true
  formats:
    description:
      - What to write. V(json) is C(livepatch.json), described by C(docs/report.schema.json), V(prometheus) is C(livepatch.prom) for
        the textfile collector of node_exporter, V(csv) is C(livepatch.csv), with a line for each host and fix, V(html) is
        C(livepatch.html), a page that needs no other file and no network.
    type: list
    elements: str
    choices: [json, prometheus, csv, html]
    default: [json, prometheus, csv, html]
  hosts:
    description:
      - The hosts that the report is about. Those without facts are V(unreachable) in it.
      - Default are all hosts of the play, also those that have failed or could not be reached.
    type: list
    elements: str
  releases:
    description:
      - The releases to compare the hosts with. Each is the path of a C(release.yml) as the role P(openeuler.livepatch.build#role)
        writes it, or of its directory, on the controller, or the release itself, a dictionary.
      - Without one the report tells what is loaded where.
    type: list
    elements: raw
    default: []
  registered:
    description:
      - The name of the variable in which the hosts' task M(openeuler.livepatch.livepatch_facts) was registered.
      - It tells why a host could not be read. What a cache knows of such a host is shown, and does not count.
    type: str
  now:
    description: The moment of the report in UTC, as V(2026-11-25T07:33:31Z). Default is the current time.
    type: str
seealso:
  - module: openeuler.livepatch.livepatch_facts
"""

EXAMPLES = r"""
- name: Read the live patches of all hosts
  openeuler.livepatch.livepatch_facts:
  register: livepatch_read
  ignore_unreachable: true

- name: Make the report
  openeuler.livepatch.livepatch_report:
    dest: report
    releases: [releases/CVE-2026-0001]
    registered: livepatch_read
  run_once: true
  register: report

- name: Every host is protected, as far as hosts were reached
  ansible.builtin.assert:
    that: report.summary.unprotected == 0
  run_once: true
"""

RETURN = r"""
paths:
  description: The files, by format.
  returned: success
  type: dict
  sample: {csv: /srv/report/livepatch.csv}
summary:
  description: How many hosts stand how.
  returned: success
  type: dict
  contains:
    generated_at:
      description: The moment of the report in UTC.
      type: str
    oldest_facts:
      description: When the oldest facts were read, by that host's clock; V(null) if that is not known of any.
      type: str
    newest_facts:
      description: The same of the newest.
      type: str
    hosts:
      description: How many hosts there are.
      type: int
    protected:
      description: How many of them have every fix of O(releases); V(null) without releases.
      type: int
    unprotected:
      description: How many of them do not; V(null) without releases.
      type: int
    unknown:
      description: Of how many nothing is known, because they were not reached or not read.
      type: int
    headlines:
      description: For each status, how many hosts have it as their headline, the first of all statuses that they have.
      type: dict
    with_status:
      description: For each status, how many hosts have it at all.
      type: dict
reason:
  description: Stable key of why it failed, for example V(bad_release).
  returned: failure
  type: str
"""
