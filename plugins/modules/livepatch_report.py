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
    The report shows which hosts have which fix, which hosts do not, and why.
  - Replaces a file as a whole, and only if its content changes. The same facts and the same O(now) make the same files, byte for byte.
  - Runs on the controller and connects to no host. So the report includes hosts that cannot be reached.
  - A host whose facts are not valid is V(failed) in the report. The module does not fail because of it.
  - R(The guide, ansible_collections.openeuler.livepatch.docsite.report) describes the statuses and the files.
requirements:
  - Python 3.10 or later on the controller
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - openeuler.livepatch._attributes
attributes:
  idempotent:
    support: partial
    details:
      - The report contains the age of the facts. A second run makes no change only if O(now) is given, and O(previous) is not the file that
        it replaces.
options:
  dest:
    description:
      - The directory on the controller that the files are written to. The module creates it if it is missing.
      - A relative path starts at the current directory.
    type: path
    required: true
  formats:
    description:
      - The files to write.
      - V(json) writes C(livepatch.json), which C(docs/report.schema.json) describes.
      - V(prometheus) writes C(livepatch.prom) for the textfile collector of node_exporter.
      - V(csv) writes C(livepatch.csv) with one row for each host and fix. If these are more rows than a spreadsheet can hold (1048575),
        those of fixes that protect their host are left out, then the last ones, with a warning.
      - V(html) writes C(livepatch.html), a page that needs no other file and no network.
      - V(openvex) writes C(livepatch.openvex.json), a document of OpenVEX 0.2.0, and V(csaf) writes C(livepatch.csaf.json), a document of
        CSAF 2.0 in the profile VEX. They state how each host stands with each CVE, and need O(releases) and O(publisher). A document has
        at most 500000 statements of one CVE and one host; more are refused.
    type: list
    elements: str
    choices: [json, prometheus, csv, html, openvex, csaf]
    default: [json, prometheus, csv, html]
  hosts:
    description:
      - The hosts in the report. Hosts without facts, or with facts that are too old, are V(unreachable) in it.
      - The default is all hosts of the play, including those that have failed or could not be reached.
    type: list
    elements: str
  host_variables:
    description:
      - Names of variables of the inventory, at most five, such as V(owner). The report shows their values beside the groups of each host,
        as columns, as filters of the page and as labels of the metrics.
      - A text, a number or a boolean is shown as it stands. It is not rendered as a template. Another value is not shown.
      - A value that the host itself has answered with, as a fact of that name, is not shown.
    type: list
    elements: str
    default: []
  releases:
    description:
      - The releases that the report compares the hosts with. Each entry is a dictionary with a release, or the path on the controller
        of a C(release.yml) that the role P(openeuler.livepatch.build#role) has written, or of its directory.
      - Without a release the report shows which patches are loaded on which hosts.
    type: list
    elements: raw
    default: []
  registered:
    description:
      - The name of the variable that the hosts' task M(openeuler.livepatch.livepatch_facts) was registered in.
      - The report takes from it why a host could not be read. Of such a host it shows what a fact cache has, and counts the host as
        unknown.
      - A host that has left the play, or that the task has not read, is V(unreachable) in the report and counts as unknown. What is known
        of it is of before its failure. A task that was skipped reads nothing, and O(max_age) decides.
    type: str
  previous:
    description:
      - The C(livepatch.json) of an earlier report, on the controller. The report then begins with what has changed since. It may be the file
        that this report replaces.
      - A file that is not there is no error, so that the first report needs none.
    type: path
  history:
    description:
      - A directory on the controller. The module adds the counts of this report to it, as a small file, and the page draws which share of
        the hosts was protected in the reports that are there, at most the newest 400. A C(livepatch.json) of another report counts as well.
      - A file that is no report is left out, with a warning.
    type: path
  max_age:
    description:
      - How many seconds ago facts may have been read, by the clock of the host. A host whose facts are older, or of an unknown age, is
        V(unreachable) in the report, with what they say, and counts as unknown.
      - Facts that O(registered) shows to be read in this run count, whatever the clock of the host says. From V(1) to V(604800).
    type: float
    default: 86400
  product:
    description:
      - What the formats V(openvex) and V(csaf) make statements of.
      - With V(host) the product is the host, and the package of its kernel a component of it.
      - With V(package) the product is the package of the kernel, as scanners of a host look for it. That holds for one host alone, since
        other hosts may have the same package without its live patches. So O(hosts) must name one host then, and the document must only be
        used for scans of that host.
    type: str
    choices: [host, package]
    default: host
  publisher:
    description: Who makes the statements of the formats V(openvex) and V(csaf). Both formats need both suboptions.
    type: dict
    suboptions:
      name:
        description: The name of the organization that operates the hosts.
        type: str
      namespace:
        description: A URI of its own, such as V(https://www.example.com). Only V(csaf) contains it.
        type: str
  now:
    description: The time of the report in UTC, as V(2026-11-25T07:33:31Z). The default is the current time.
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

- name: State the same for scanners
  openeuler.livepatch.livepatch_report:
    dest: statements
    formats: [openvex, csaf]
    releases: [releases/CVE-2026-0001]
    registered: livepatch_read
    publisher:
      name: Example Operations
      namespace: https://operations.example.com
  run_once: true

- name: Check that every host that was reached is protected
  ansible.builtin.assert:
    that: report.summary.unprotected == 0
  run_once: true
"""

RETURN = r"""
paths:
  description: The path of each file by its format.
  returned: success
  type: dict
  sample: {csv: /srv/report/livepatch.csv}
summary:
  description: How many hosts have which status.
  returned: success
  type: dict
  contains:
    generated_at:
      description: The time of the report in UTC.
      returned: always
      type: str
      sample: "2026-11-25T08:00:00Z"
    oldest_facts:
      description: When the oldest facts were read, by the clock of that host; V(null) if no facts contain a time.
      returned: always
      type: str
      sample: "2026-11-22T13:20:00Z"
    newest_facts:
      description: When the newest facts were read, by the clock of that host; V(null) if no facts contain a time.
      returned: always
      type: str
      sample: "2026-11-25T07:58:00Z"
    hosts:
      description: The number of hosts in the report.
      returned: always
      type: int
      sample: 200
    protected:
      description: The number of hosts that every release protects; V(null) without O(releases).
      returned: always
      type: int
      sample: 171
    unprotected:
      description: The number of hosts that at least one release does not protect; V(null) without O(releases).
      returned: always
      type: int
      sample: 24
    unknown:
      description: The number of hosts that could not be reached or read, or whose facts are too old. Nothing is known about them.
      returned: always
      type: int
      sample: 5
    headlines:
      description:
        - For each status, the number of hosts that have it as their headline. The headline of a host is the first of its statuses.
      returned: always
      type: dict
      sample: {unreachable: 5, no_patch_file: 4, not_applied: 20, protected: 171}
    with_status:
      description: For each status, the number of hosts that have it, as their headline or among others.
      returned: always
      type: dict
      sample: {unreachable: 5, no_patch_file: 4, not_applied: 20, protected: 191, accepted: 191}
    changes:
      description: What has changed since the report of O(previous); V(null) without it, or if that file is not there.
      returned: always
      type: dict
      contains:
        since:
          description: The time of that report in UTC.
          returned: always
          type: str
          sample: "2026-11-24T08:00:00Z"
        gained:
          description: How many times a fix now protects a host that it did not protect.
          returned: always
          type: int
          sample: 12
        lost:
          description: How many times a fix no longer protects a host that it protected, and that is known.
          returned: always
          type: int
          sample: 1
        new_hosts:
          description: The number of hosts that the earlier report does not have.
          returned: always
          type: int
          sample: 0
        gone_hosts:
          description: The number of hosts that only the earlier report has.
          returned: always
          type: int
          sample: 0
        unknown_now:
          description: The number of hosts that nothing is known about any more.
          returned: always
          type: int
          sample: 2
reason:
  description:
    - A stable key of why the report could not be made.
    - One of V(bad_argument), V(bad_previous), V(bad_release), V(bad_time), V(no_such_release), V(not_written), V(unknown_host).
  returned: failure
  type: str
  sample: no_such_release
cause:
  description: Why the report could not be made, in one sentence.
  returned: failure
  type: str
  sample: "/srv/releases/CVE-2026-0001/release.yml cannot be read: No such file or directory."
remedy:
  description: What to do about it, in one sentence.
  returned: failure
  type: str
  sample: Give releases the path of a release.yml on the controller, or of its directory.
"""
