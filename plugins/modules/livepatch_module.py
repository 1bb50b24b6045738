#!/usr/bin/python

# Copyright (c) 2026, openeuler.livepatch contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: livepatch_module
short_description: Load, enable, disable and unload a kernel live patch
version_added: 1.0.0
description:
  - Brings one live patch on a running kernel into the wanted state, waits until its transition has ended, and reads the kernel again
    to prove the result. If a step fails, the module rolls the host back.
  - Before a change, and in check mode, the module checks everything that can be known, and reports it in RV(findings). It refuses
    what would fail or do harm. Where nothing is to be done, it checks nothing, and looks at O(verify=text). If the patch
    stays covered then (O(on_covered=allow)), it says so, and looks at O(probe) as well.
  - Where the host can take no patch, or a different build of the name is loaded and O(reload=false), it reports only that.
  - One run at a time changes a host. A second one waits for it, for O(timeout) seconds. If a run is interrupted, the next one rolls
    back its partial changes first, reports that, and returns C(changed).
  - The file is read on the controller and sent only to hosts that need it, so a task that changes nothing is one round trip.
  - On kernels with mainline's consistency model (the ABI V(per_task)) inserting the module activates the patch, and a transition
    follows. On openEuler's kernels with CONFIG_LIVEPATCH_WO_FTRACE (V(stop_machine)) inserting it only registers the patch, and writing
    to its C(enabled) file activates it while all processors stand still. This module does what the host's kernel needs.
  - Several patches may replace the same function; the one that was enabled last is live. This module does not disable or unload a
    patch that is covered by a newer one, does not let an old patch jump over a newer one, and does not leave a patch covered that is to be
    enabled, unless O(on_covered) says so.
author:
  - openeuler.livepatch contributors (!UNKNOWN)
extends_documentation_fragment:
  - openeuler.livepatch._attributes
  - openeuler.livepatch._attributes.src_group
  - openeuler.livepatch._attributes.fix
attributes:
  action:
    description: Indicates this has a corresponding action plugin so some parts of the options can be executed on the controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword. The file is then always sent.
    support: full
requirements:
  - Python 3.7 or later on the host
  - pyelftools on the controller, if O(src) is used
  - pyelftools on the host, if O(remote_src=true)
options:
  name:
    description:
      - Name of the live patch module, as in C(/sys/module). Hyphens are taken as underscores, as the kernel does.
      - With O(src) it may be left out; if it is given, the file must have this name.
    type: str
  src:
    description:
      - Path of the patch file (C(.ko)) on the controller; looked for in C(files/) as by M(ansible.builtin.copy).
      - With O(remote_src=true), path on the host.
      - On the controller it may also be an RPM package of a kernel hot patch of openEuler, or a directory that such a package installs,
        as M(openeuler.livepatch.livepatch_file_info) has it. The module in it is sent to the host, and nothing else.
      - It may also be an https URL of such a file or package, with O(checksum). The controller downloads it once in a run, by Ansible's own
        fetching, with its proxies and certificates. A user or password belongs into the netrc file, since Ansible shows the URL. The
        manifest is not downloaded; O(fix) and O(replace) can say what it would.
      - Keep the manifest of M(openeuler.livepatch.livepatch_build), C(NAME.ko.json), beside C(NAME.ko). It tells whether a file of
        C(kpatch-build) or C(klp-build) replaces other patches, which the file does not show.
      - Not needed to disable or unload a patch, nor to enable again one that this module has loaded. While a patch is loaded
        a copy of its file is kept on the host, in C(/run/openeuler-livepatch).
    type: path
  checksum:
    description:
      - The digest of the file that O(src) names on the controller or at a URL, as V(sha256:DIGEST). The task fails if it has another.
      - Not for O(remote_src=true).
    type: str
  remote_src:
    description: Whether O(src) is on the host already.
    type: bool
    default: false
  state:
    description:
      - V(enabled) means loaded, enabled and effective. Each of its functions is live, and no task runs the old ones any more. A patch that
        others cover is not effective; see O(on_covered). V(per_task) kernels patch a module that is not loaded when it is loaded.
      - V(disabled) means not active. A loaded patch stays loaded, one that is not loaded is left so.
      - V(present) means loaded, whether enabled or not. On a V(per_task) kernel loading a patch enables it, on a V(stop_machine)
        kernel it is only registered; a module that also enables it is refused there (C(enables_itself)).
      - V(absent) means not loaded.
      - V(reverted) means that what the patch took the place of is back as it was then, be it patches that it superseded (O(supersedes))
        or an earlier build of its name (O(reload)). Without such a build no patch of this name is loaded. What is enabled again already
        stays as it is (C(back_already)). With O(src) or O(builds), nothing is done if a different build is loaded (C(not_reverted)), so that
        the task can be repeated. With O(name) alone, nothing is done if an earlier revert has brought back the build that is loaded
        (C(reverted_already)); a reboot forgets that.
      - So it is for a build that an earlier revert has brought back in the place of the same one with other parameters, unless O(parameters) or
        O(builds[].parameters) says with which ones it is loaded.
      - What boots load is forgotten for a patch that is reverted. It stays if it is another build than the one that goes.
      - What was displaced is remembered while the patch is loaded, and needs to have been loaded by this module.
      - A patch that is displaced takes along what it had displaced, and has it again when it comes back. So each V(reverted) goes one step
        further back, up to 16 steps. Each build is remembered where it was displaced last.
      - After a reboot what an accepted patch had superseded comes back if it was accepted before it was superseded. What was on trial
        does not.
      - On V(per_task) kernels what was disabled then is left out.
      - V(reverted) is as V(absent) for a patch that took the place of nothing. So it is where nothing is remembered because this module did
        not load the patch; then it warns if a function is left without a patch (C(fix_lost)). What is remembered and cannot come back is
        refused (C(needs_file)).
      - Before a patch is taken out, and in check mode, RV(findings) say which functions no patch is live on afterwards (C(fix_lost)), or
        another one (C(live_after)).
    type: str
    choices: [enabled, disabled, present, absent, reverted]
    default: enabled
  reload:
    description:
      - What to do if a different build of the same name is loaded. By default the task is refused.
      - If V(true), the loaded one is disabled and unloaded and O(src) is loaded instead. In between the kernel runs the original functions.
      - Builds are compared by build-id or C(srcversion), or by the digest that this module noted when it loaded the patch.
      - This holds for a patch that is loaded with other O(parameters), too.
    type: bool
    default: false
  replace:
    description:
      - Whether the file has the replace flag, with which a V(per_task) kernel disables all other patches when it loads the file. Needed
        where the file does not show it, as one of C(kpatch-build) or C(klp-build), or one whose code sets the flag, and no manifest lies beside it.
      - With V(false) such a file is loaded beside other patches, which is refused otherwise (V(may_replace_others)).
      - Refused (V(replace_differs)) if the file shows the opposite. Needs O(src).
      - It is remembered with the copy of the file while the patch is loaded, and with O(boot=accepted) for each boot.
    type: bool
  parameters:
    description:
      - Parameters of the module, by their names, as RV(file.parameters) has them. A list becomes an array.
      - A name that the file does not have is refused, since the kernel would only log it. Types and ranges of numbers are checked as well. A text
        may have printable ASCII characters without quotes. Whether the patch takes a value the kernel decides, and a refusal is rolled back.
      - The kernel takes parameters only when it loads a module. A patch that is loaded with others is refused unless O(reload=true).
        If this module did not load it, what it was loaded with is unknown, and a finding says so.
      - Whatever loads the patch again, as rolling back, reverting, or a boot (O(boot=accepted)), uses the parameters that it had.
      - Left out, a loaded patch keeps what it has, and one that is not loaded is loaded without parameters. V({}) asks for none.
      - Needs O(src).
      - They are not secret. The host's log and C(/sys/module) show them, and so do results and files of this collection.
    type: dict
  builds:
    description:
      - The builds that O(state=reverted) is about, without a file, as M(openeuler.livepatch.livepatch_release_info) returns them of a release.
        A host on which another build of the name is loaded is left as it is (C(not_reverted)).
      - Where nothing tells whether the loaded build is one of them, the task is refused (V(build_unknown)).
      - An empty list names no build, so that nothing is done.
      - Goes with O(state=reverted) only, and not with O(src).
    type: list
    elements: dict
    suboptions:
      sha256:
        description: The digest of the file. Each build has one of the three marks at least.
        type: str
      build_id:
        description: The build-id of the patch.
        type: str
      srcversion:
        description: The C(srcversion) of the patch. It decides only where no other mark does.
        type: str
      parameters:
        description:
          - What the build is loaded with, as O(parameters). Left out, that makes no difference.
        type: dict
  timeout:
    description:
      - How long a transition may take, in seconds. After that the tasks that hold it are reported and the transition is reversed.
      - The kernel itself nudges the tasks that hold a transition every 15 seconds.
      - Kernels of the ABI V(stop_machine) have no transitions.
      - From V(0) to V(86400).
    type: float
    default: 60
  retries:
    description:
      - How often to try again when a V(stop_machine) kernel finds a task in one of the functions (C(EAGAIN), or C(EBUSY) on older
        kernels). The kernel has changed nothing then.
      - From V(0) to V(1000).
    type: int
    default: 10
  delay:
    description:
      - How long to wait between two tries, in seconds; each wait is up to a half longer or shorter, at random.
      - From V(0) to V(3600).
    type: float
    default: 1
  on_covered:
    description:
      - What to do where the order of patches matters. That is so if an enabled patch covers a function of the one to be disabled or
        unloaded, if a patch that is enabled again would cover one that was loaded after it, and if the patch of O(state=enabled) is
        enabled already and covered, wholly or in part.
      - V(refuse) fails and names the patches and functions.
      - V(unstack) disables the patches above for a moment, acts, and enables them again in their old order. On V(per_task) kernels
        this needs the copies of their files that this module keeps.
      - With O(state=enabled) V(unstack) raises the patch above those that cover it, or that it would come below. An enabled one is
        disabled for that, on V(per_task) kernels unloaded and loaded again, and enabled. In between its fix is not active. The next boot
        keeps the new order only with O(boot=accepted).
        If that fails, the patches above are moved as well, to bring back the old order.
      - Of two tasks that enable patches of the same function with V(unstack), each raises its own patch in each run. Use it for one
        of them.
      - V(allow) acts as far as the kernel permits it. A newer patch then stays live, or an older one becomes live. A patch that stays
        enabled and covered is told by a warning, and RV(patch.effective) is V(none) or V(partial). O(verify=text) is looked at
        for the functions that are live, and O(probe). If that does not hold, the task fails, and what covers the patch lacks its fix.
      - Kernels with CONFIG_LIVEPATCH_STACK disable only the patch that was enabled last, whatever it replaces; there V(unstack) moves
        all later ones, and V(allow) does not help. With O(state=disabled) V(unstack) is refused there if patches are enabled behind
        this one, as they could not be enabled again; use O(state=absent).
    type: str
    choices: [refuse, unstack, allow]
    default: refuse
  supersedes:
    description:
      - Names of patches that this one takes the place of. When it is enabled they are disabled and unloaded.
      - V(contained) stands for every loaded patch all of whose functions this one replaces, unless it was enabled above this one since;
        with O(on_covered=unstack) for that as well.
      - A cumulative hot patch of openEuler (C(ACC), see O(src)) takes the place of its predecessors. If O(supersedes) is left out, it is
        V(contained) for such a package, and an older one is refused above a newer one that is enabled (C(older_cumulative)). V([]) asks
        for nothing.
      - Where a patch that goes, or an earlier build (O(reload)), replaces a function that no patch replaces afterwards, the task is refused
        (C(fix_lost)). If it is named here, this is a warning. An earlier build has the name of the patch itself.
      - The new patch is enabled first, so that no function is without its fix in between. Kernels with CONFIG_LIVEPATCH_STACK, and
        kernels whose configuration cannot be read, need it the other way round; a finding says so. So does a V(per_task) kernel for a
        patch that knows the system states of the others in an older version only.
    type: list
    elements: str
    default: []
  force_owner:
    description:
      - Whether a patch that belongs to SysCare or to kpatch's boot service may be touched, and one whose owner is unknown may be disabled,
        unloaded or replaced. The owner does not notice.
      - SysCare goes on showing the status that its daemon remembers, until C(syscare rescan) or a restart. What it has accepted it loads
        again at the next boot, whatever this module did. Facts show such a patch as SysCare's as before.
      - The owner of a patch is unknown if this module has neither loaded nor enabled it, it is not accepted for the boots of this kernel
        (O(boot)), and neither of those tools has a file for it. So it is with what somebody has loaded by C(insmod).
      - For such a patch O(state) V(disabled), V(absent) and V(reverted), O(reload), O(supersedes), O(on_covered=unstack) and a file with the
        replace flag are refused otherwise, whether O(src) is given or not. To enable it is not refused; a patch that this module has
        enabled, loaded or accepted is its own from then on.
      - Also with a damaged list of accepted patches, the module then takes the patch out. It leaves that list as it is, and warns.
    type: bool
    default: false
  load_targets:
    description:
      - Whether modules that the patch depends on, and on V(stop_machine) kernels those that it changes, are loaded first
        (C(modprobe)) if they are not there.
      - A V(stop_machine) kernel does not patch modules that are loaded later, and refuses the patch. A V(per_task) kernel does,
        and a module that is not in use is not loaded for its patch there.
    type: bool
    default: false
  ignore:
    description:
      - Checks whose refusals are to be warnings only; the findings say that they were ignored. The kernel may still refuse.
      - With O(boot=accepted) they are kept, and ignored at each boot as well. A later task without O(ignore) does not change that.
      - What is in quarantine is not loaded at boot even then, until O(state=absent) has forgotten it.
      - V(wrong_architecture), V(wrong_vermagic), V(wrong_kernel), V(wrong_abi) and V(bad_relocation) are about the kernel that the file was built
        for; V(signature) and V(modules_disabled) about what the kernel lets in; V(symbol_missing), V(symbol_ambiguous), V(sympos_missing) and
        V(function_too_short) about the functions; V(target_built_in), V(target_not_loaded) and V(dependency) about other modules;
        V(module_in_use) about a patch that would be unloaded; V(no_way_back) about one that could not come back if the task fails; V(kprobe),
        V(foreign_jump), V(ftrace_user) and V(ftrace_disabled) about who else is in the functions; V(cpu_taken) about a CPU that a task keeps for
        itself; V(quarantined) about a build that took this host down when it was loaded at boot; V(probe) about a probe that holds already.
    type: list
    elements: str
    default: []
    choices:
      - quarantined
      - wrong_architecture
      - wrong_vermagic
      - wrong_kernel
      - wrong_abi
      - bad_relocation
      - signature
      - symbol_missing
      - symbol_ambiguous
      - sympos_missing
      - function_too_short
      - target_built_in
      - target_not_loaded
      - dependency
      - module_in_use
      - no_way_back
      - kprobe
      - foreign_jump
      - ftrace_disabled
      - ftrace_user
      - cpu_taken
      - modules_disabled
      - probe
  verify:
    description:
      - How to prove that an enabled patch is effective.
      - V(state) believes what the kernel says of its patches in sysfs and in C(/proc/livepatch/state).
      - V(text) also looks at the functions themselves, and does so where the patch is enabled already and nothing is to be done. On
        V(stop_machine) kernels each must begin with a jump into the patch (C(/proc/kcore)), or have it behind the instructions that
        ftrace has there. On V(per_task) kernels ftrace must call livepatch's hook for it, and for each other patched function of its
        name (C(enabled_functions)).
      - RV(proofs) says for how many functions that was seen, and why not for the others. Another patch may cover them, their modules may
        not be loaded, or come and go meanwhile, or the host may hide it. Then it is not called proven.
    type: str
    choices: [state, text]
    default: state
  probe:
    description:
      - What shows the effect of the patch. It must not hold before, and must hold after the patch was enabled; otherwise the patch
        is rolled back. It is not used with another O(state) than V(enabled), nor if nothing is to be done, unless the patch stays
        covered (O(on_covered=allow)). Check mode does not run its command.
      - Where the patch is enabled already and only something else is left to be done (a transition to wait for, superseded patches
        to take out, O(boot)), it may hold before. The task fails if it does not hold afterwards, and the patch stays.
      - It holds if O(probe.expect) is found in the output and O(probe.reject) is not; without both, if the command returns 0.
    type: dict
    suboptions:
      argv:
        description:
          - A command and its arguments, which no shell sees.
          - When it ends, all that it has started in its process group ends as well. Of its output 1 MiB is kept.
        type: list
        elements: str
      path:
        description: A file, instead of a command, for example V(/proc/cmdline).
        type: path
      expect:
        description: A regular expression that must be found in the output. C(^) and C($) match at each line.
        type: str
      reject:
        description: A regular expression that must not be found in the output.
        type: str
      retries:
        description: How often to try again, after a second each, before the probe has failed. From V(0) to V(1000).
        type: int
        default: 0
      timeout:
        description: How long the command, or reading the file, may take, in seconds. From V(0.1) to V(3600).
        type: float
        default: 10
  watch:
    description:
      - How long the module watches the kernel's log, its taint and its counts of oopses and warnings after the change, in seconds. An oops, a
        bug, a warning or a hung task rolls the patch back. A program of a user other than root that hangs does so only if it hangs in the
        patch. Such a user can let one hang without the patch.
      - After a lockup, an RCU stall or a panic nothing is rolled back, which could hang the host. The task fails with V(kernel_trouble) and
        RV(reboot_required), and boots do not load the patch.
      - From V(0) to V(86400).
    type: float
    default: 0
  progress:
    description:
      - Whether the controller shows about every ten seconds what the change waits for, such as a transition, a function that is in use, or
        O(watch).
      - The change then runs as a job on the host, which goes on if the controller is gone. This takes some five round trips more. Without
        a change it takes none.
      - Not used in check mode and with C(async).
    type: bool
    default: false
  on_stall:
    description:
      - What to do with a transition that did not end within O(timeout). Kernels of the ABI V(stop_machine) have none.
      - V(roll_back) reverses it and fails, naming the tasks that hold it. With O(state=enabled) it does so with a transition that an
        earlier run has left, too.
      - V(wait) goes on waiting, however long it takes.
      - V(report) leaves it running and succeeds; RV(state) is then V(in transition), and RV(stalling_tasks) are the tasks. What was to be
        done after it, and the proof, is left for the next run. Where patches would have to be loaded again after it, it is V(roll_back).
      - V(force) ends it by the kernel's C(force) file, with O(i_accept_inconsistency). A module that is disabled or replaced by force can
        never be unloaded, so where it would have to be loaded again, it is V(roll_back). So it is for the transition of a patch that
        somebody else has loaded, unless the task is about that patch.
    type: str
    choices: [roll_back, wait, report, force]
    default: roll_back
  i_accept_inconsistency:
    description:
      - Must be V(true) for O(on_stall=force). Tasks may then run old and new code together, which can crash the system if the patch
        changes how they work together; and what is disabled in this way can never be unloaded again.
      - See the warnings about forcing in U(https://docs.kernel.org/livepatch/livepatch.html).
    type: bool
    default: false
  boot:
    description:
      - Whether the patch is loaded again when the host boots. By default that is left as it is, which for a patch that was never
        accepted is V(trial).
      - V(accepted), with O(state=enabled) only, loads it again at each boot of the kernel that it is enabled on now, in the order that
        the accepted patches have in the kernel at this moment. What it has superseded is not loaded any more. It is accepted after it
        was enabled and has proven itself.
      - At boot a transition may take 50 seconds, whatever O(timeout) the task had, and O(on_covered) is V(refuse).
      - V(trial) means that it is gone after a reboot. What it superseded is accepted again, if it was before.
      - A patch that is taken out is not accepted any more either, for any kernel; after O(state=reverted) what comes back is.
      - The role P(openeuler.livepatch.boot#role) installs what loads accepted patches; without it a finding says that nothing does.
    type: str
    choices: [trial, accepted]
seealso:
  - module: openeuler.livepatch.livepatch_build
  - module: openeuler.livepatch.livepatch_facts
  - name: Livepatch
    description: The kernel's documentation of live patching.
    link: https://docs.kernel.org/livepatch/livepatch.html
notes:
  - Changing something needs root.
  - A loaded patch is gone after a reboot, unless it is accepted (O(boot)).
"""

EXAMPLES = r"""
- name: Enable the fix
  openeuler.livepatch.livepatch_module:
    src: livepatch_cmdline.ko
    state: enabled

- name: Disable the fix
  openeuler.livepatch.livepatch_module:
    name: livepatch_cmdline
    state: disabled

- name: Enable the fix again
  openeuler.livepatch.livepatch_module:
    name: livepatch_cmdline
    state: enabled
    timeout: 120

- name: Replace the loaded build of the fix
  openeuler.livepatch.livepatch_module:
    src: livepatch_cmdline.ko
    reload: true

- name: Enable a fix that has parameters
  openeuler.livepatch.livepatch_module:
    src: livepatch_version.ko
    parameters:
      verbose: true
      levels: [1, 2]

- name: Enable a cumulative fix, and unload all that it contains
  openeuler.livepatch.livepatch_module:
    src: livepatch_cmdline.ko
    supersedes: [contained]

- name: Enable a cumulative hot patch of openEuler, and unload its predecessors
  openeuler.livepatch.livepatch_module:
    src: patch-kernel-5.10.0-60.18.0.50.oe2203-ACC-1-6.x86_64.rpm

- name: Enable a second fix, whose file does not show that it was built without the replace flag
  openeuler.livepatch.livepatch_module:
    src: livepatch_version.ko
    replace: false

- name: Disable the fix below a newer one
  openeuler.livepatch.livepatch_module:
    name: livepatch_cmdline
    state: disabled
    on_covered: unstack

- name: Raise the fix above what covers it
  openeuler.livepatch.livepatch_module:
    src: livepatch_cmdline.ko
    on_covered: unstack

- name: Enable the fix, and prove its effect
  openeuler.livepatch.livepatch_module:
    src: livepatch_cmdline.ko
    verify: text
    probe:
      path: /proc/cmdline
      expect: has been live patched
    watch: 3

- name: Load the fix at each boot
  openeuler.livepatch.livepatch_module:
    name: livepatch_cmdline
    boot: accepted

- name: Revert the fix to what it took the place of
  openeuler.livepatch.livepatch_module:
    name: livepatch_cmdline
    state: reverted

- name: Unload the fix
  openeuler.livepatch.livepatch_module:
    name: livepatch_cmdline
    state: absent
"""

RETURN = r"""
name:
  description: The module's name in the kernel.
  returned: unless the arguments or the file are wrong
  type: str
  sample: livepatch_cmdline
seconds:
  description: Where the time of the task went, in seconds.
  returned: with C(-v) or more, unless the arguments or the file are wrong
  type: dict
  contains:
    round_trips:
      description: How often the task went to the host.
      returned: unless the task is started with C(async)
      type: int
      sample: 1
    connecting:
      description: What the task took on the controller and on the way. Ansible makes the module for the first host of a play, and sends it.
      returned: unless the task is started with C(async)
      type: float
      sample: 0.41
    starting:
      description: What Python took on the host to start, to receive the module and to import it, in the last round trip.
      returned: always
      type: float
      sample: 0.12
    reading:
      description: What it took to read what the kernel shows, in the last round trip.
      returned: always
      type: float
      sample: 0.01
    checking:
      description: What it took to read what speaks against the change, and to ask the CPUs, in the last round trip.
      returned: always
      type: float
      sample: 0.05
    changing:
      description: What the kernel took to load, unload, enable and disable patches, in the last round trip.
      returned: always
      type: float
      sample: 0.02
    waiting:
      description: What was waited on purpose, as for a transition, in the last round trip.
      returned: always
      type: float
      sample: 0.5
    deciding:
      description: All else on the host in the last round trip, as planning, proofs, and the copies that the collection keeps there.
      returned: always
      type: float
      sample: 0.03
  sample: {round_trips: 1, connecting: 0.41, starting: 0.12, reading: 0.01, checking: 0.05, changing: 0.02, waiting: 0.5, deciding: 0.03}
reboot_required:
  description:
    - Whether only a reboot finishes the job. In check mode, whether only a reboot would.
    - V(true) if a finding or the cause says that nothing else helps. That is so for a kernel that loads and unloads no modules any more, an
      ftrace that has failed, a module without an exit function that is to go, and a CPU that has locked up.
    - V(true) also if a transition was forced, by this task or an earlier one, and as in RV(patch.reboot_required).
    - Other patches of the host do not count. RV(openeuler.livepatch.livepatch_facts#module:ansible_facts.ansible_livepatch.reboot_required) is
      about all of them.
  returned: always
  type: bool
  sample: false
state:
  description:
    - The state found afterwards, V(enabled), V(disabled), V(absent) or V(in transition). In check mode the state that would be reached.
    - V(unknown) where the host does not tell; then the task fails, or a transition was left running.
  returned: unless the arguments or the file are wrong
  type: str
  sample: enabled
actions:
  description:
    - The steps that have changed something, or waited, in order; in check mode those that would be carried out.
    - What the kernel or somebody else had done already is left out, as when a patch has disabled those that it replaces.
    - Where the task was planned anew (C(replanned)), what had been done before and was rolled back comes first.
    - The steps that have rolled an interrupted run back (C(interrupted_run)) come before all others.
  returned: unless refused, and then too if an interrupted run was rolled back
  type: list
  elements: str
  sample: [load livepatch_cmdline, wait for the transition of livepatch_cmdline]
patch:
  description: The patch as the kernel shows it afterwards; V(null) if it is not loaded.
  returned: success
  type: dict
  contains:
    name:
      description: Name of the module.
      returned: always
      type: str
      sample: livepatch_cmdline
    enabled:
      description: Whether the kernel runs the new functions.
      returned: always
      type: bool
      sample: true
    in_transition:
      description: Whether some tasks still run the old functions.
      returned: always
      type: bool
      sample: false
    replace:
      description:
        - Whether loading it disables all other patches, as the kernel shows it. Where that does not, as the file says that this module
          has loaded; V(null) if nothing does.
      returned: always
      type: bool
      sample: false
    objects:
      description:
        - What it patches, V(vmlinux) or names of modules, which need not be loaded. Some may have callbacks and no functions. Empty
          while it is disabled on V(per_task) kernels.
      returned: always
      type: list
      elements: str
      sample: [vmlinux]
    functions:
      description:
        - The functions it replaces, by object, name and position. Empty while it is disabled on V(per_task) kernels.
        - While the transition of a patch is running that disables all others, the kernel lists their functions as its own. They are left
          out if this module has loaded it and its file shows its functions.
      returned: always
      type: list
      elements: dict
      contains:
        object:
          description: V(vmlinux) or the name of a module.
          returned: always
          type: str
          sample: vmlinux
        name:
          description: The function.
          returned: always
          type: str
          sample: cmdline_proc_show
        sympos:
          description: Its position among the symbols of that name in the object, from 1.
          returned: always
          type: int
          sample: 1
    taint:
      description: The module's taint flags, as in C(/proc/modules).
      returned: always
      type: str
      sample: OEK
    identity:
      description: What tells its build from another one.
      returned: always
      type: dict
      contains:
        build_id:
          description: The build-id of the module; V(null) if the kernel does not show one.
          returned: always
          type: str
          sample: 12ebc946d48d5ba56740ddb2a945b2e050087bb7
        srcversion:
          description: The digest of its sources in the module's own information; V(null) if the kernel does not show one.
          returned: always
          type: str
          sample: 533BB7E5866E52F63B9ACCB
        sha256:
          description: Digest of its file; V(null) if this module did not load it.
          returned: always
          type: str
          sample: e164b957c98741ba50eeb16b07a61f9381af4e28426438cca48b7b369d5b081d
    loaded_with:
      description:
        - The parameters that it was loaded with, as the kernel got them, sorted by their names. Empty if there were none.
        - V(null) if this module did not load it.
      returned: always
      type: str
      sample: levels=1,2 verbose=1
    stored_copy:
      description: Path of the copy of its file on the host; V(null) if there is none.
      returned: always
      type: str
      sample: /run/openeuler-livepatch/livepatch_cmdline-e164b957c98741ba.ko
    effective:
      description:
        - V(full) if each of its functions is live, V(none) if no one is, V(partial) if some are. RV(patch.covered) and
          RV(patch.unpatched) say why a function of an enabled patch is not live.
        - A function in a module that is not loaded is not live. V(per_task) kernels patch the module when it is loaded, so that nothing
          is left to be done.
        - V(null) if it is enabled and has no functions, or they are unknown.
      returned: always
      type: str
      sample: full
    unpatched:
      description:
        - Its objects that the kernel does not patch now, while it is enabled; its functions in them are not live.
        - Kernels from Linux 6.1 on tell that (C(patched) in sysfs). Of others it is assumed for modules that are not loaded.
      returned: always
      type: list
      elements: dict
      contains:
        object:
          description: V(vmlinux) or the name of a module.
          returned: always
          type: str
          sample: xfs
        loaded:
          description: Whether the kernel has it. V(per_task) kernels patch a module when it is loaded.
          returned: always
          type: bool
          sample: false
    covered:
      description: Its functions that are covered by newer patches.
      returned: always
      type: list
      elements: dict
      contains:
        object:
          description: V(vmlinux) or the name of a module.
          returned: always
          type: str
          sample: vmlinux
        name:
          description: The function.
          returned: always
          type: str
          sample: cmdline_proc_show
        sympos:
          description: Its position among the symbols of that name in the object, from 1.
          returned: always
          type: int
          sample: 1
        by:
          description: The patches that cover it, oldest first.
          returned: always
          type: list
          elements: str
          sample: [livepatch_0002]
    boot:
      description: V(accepted) if it is loaded again at boot, V(quarantined) if it was and took the host down, else V(trial).
      returned: always
      type: str
      sample: trial
    owner:
      description:
        - The other tool that manages the patch, V(SysCare) or V(kpatch.service). V(null) if it is this collection's.
        - V(unknown) if no such tool has a file for it, and this collection has neither loaded, enabled nor accepted it; see O(force_owner).
        - What this collection has done only root can read. Without root each patch that no tool has a file for is V(unknown).
      returned: always
      type: str
      sample: SysCare
    source_patches:
      description:
        - Digests of the source patches that it was made from, as in the manifest of M(openeuler.livepatch.livepatch_build).
        - Empty if the file had no manifest beside it when this module loaded it.
      returned: always
      type: list
      elements: str
      sample: [9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08]
    fix:
      description: What it fixes, as O(fix) was when it was noted. V(null) where nothing is noted.
      returned: always
      type: dict
      contains:
        id:
          description: What the fix is called.
          returned: always
          type: str
          sample: CVE-2026-0001
        title:
          description: What it fixes, in a sentence; empty if nobody has said it.
          returned: always
          type: str
          sample: A missing check in the TCP stack
        severity:
          description: How severe that is; empty if nobody has said it.
          returned: always
          type: str
          sample: important
        cves:
          description: The CVEs that it fixes.
          returned: always
          type: list
          elements: str
          sample: [CVE-2026-0001]
    permanent:
      description: Whether the module has no exit function, so that only a reboot removes it.
      returned: always
      type: bool
      sample: false
    reboot_required:
      description:
        - Whether the patch is disabled, and can be neither unloaded nor enabled again before a reboot. It was disabled by force, its module
          has no exit function, or the kernel loads and unloads no modules any more.
        - V(false) on V(stop_machine) kernels, which enable a disabled patch where it is.
        - V(true) also if the patch is enabled and RV(patch.forced) is true.
      returned: always
      type: bool
      sample: false
    forced:
      description:
        - Whether a transition of the patch was forced. If it is enabled, tasks may run old and new code together until the host is rebooted
          or the module is loaded anew.
        - The kernel does not tell it of an enabled patch. It comes from the record that the collection keeps as long as the module is
          loaded. V(null) without a record, as for a patch that somebody else loaded.
      returned: always
      type: bool
      sample: false
    trouble_since:
      description:
        - The serious trouble that the kernel has had since the effect of the patch was proven (V(a bad page), V(an oops) or
          V(a soft lockup)), by its taint. What the taint showed before does not count, and is not seen if it happens again.
        - A lockup, an RCU stall or a panic for which a task has left the kernel alone is in it, too (see O(watch)).
        - V(null) if that cannot be told, because the taint cannot be read, or shows such trouble and the collection has no record of a proof.
      returned: always
      type: list
      elements: str
      sample: []
boot:
  description: As RV(patch.boot), and V(none) for a patch that is neither loaded nor accepted; in check mode what would be.
  returned: unless refused
  type: str
  sample: trial
abi:
  description: How the kernel applies patches, V(per_task) or V(stop_machine); V(null) if it does not.
  returned: unless the arguments or the file are wrong
  type: str
  sample: per_task
release:
  description: The running kernel's release.
  returned: unless the arguments or the file are wrong
  type: str
  sample: 6.12.48-amd64
file:
  description:
    - What was read in the patch file. The most important of it is here.
    - M(openeuler.livepatch.livepatch_file_info) documents the other keys, and returns more.
  returned: success, if O(src) is given
  type: dict
  contains:
    name:
      description: The module's name.
      returned: always
      type: str
      sample: livepatch_cmdline
    sha256:
      description: Digest of the file.
      returned: always
      type: str
      sample: e164b957c98741ba50eeb16b07a61f9381af4e28426438cca48b7b369d5b081d
    vermagic:
      description: The kernel that it was built for.
      returned: always
      type: str
      sample: "6.12.48-amd64 SMP preempt mod_unload modversions "
    kernel_build_id:
      description:
        - The build-id of the kernel that it was built for, as in the manifest of M(openeuler.livepatch.livepatch_build) beside the file.
        - V(null) if there is no manifest, it is of another file, or the build had no C(vmlinux).
      returned: always
      type: str
      sample: 4a5a9b0affb66c437abcd455d2738af879985fa9
    builder:
      description: Who made it, V(kpatch), V(kpatch-openeuler), V(klp-build) or V(hand-written).
      returned: always
      type: str
      sample: kpatch
    parameters:
      description: The parameters that it has, each with its name and type. The type is empty if the file does not show it.
      returned: always
      type: list
      elements: dict
      sample: [{name: verbose, type: bool}, {name: levels, type: array of int}]
    functions:
      description: The functions it replaces; V(null) if the file does not show them.
      returned: always
      type: list
      elements: dict
      contains:
        object:
          description: V(vmlinux) or the name of a module.
          returned: always
          type: str
          sample: vmlinux
        name:
          description: The function.
          returned: always
          type: str
          sample: cmdline_proc_show
        sympos:
          description: Its position among the symbols of that name in the object, from 1.
          returned: always
          type: int
          sample: 1
        numbered:
          description: Whether the file gives the position. If not, the name must be the only one in the object.
          returned: always
          type: bool
          sample: false
    signature:
      description: Its signature; V(null) if it has none.
      returned: always
      type: dict
      contains:
        signer:
          description: The common name of the issuer of the signer's certificate; V(null) if the signature does not tell.
          returned: always
          type: str
          sample: Live patches
        hash:
          description: The algorithm of its digest; V(null) if the signature cannot be read.
          returned: always
          type: str
          sample: sha256
        key_id:
          description: The serial number of that certificate, or the identifier of its key; V(null) if the signature cannot be read.
          returned: always
          type: str
          sample: 0430a9ac5047c16daf0e8346e48444b198927b2c
        readable:
          description: Whether the signature can be read.
          returned: always
          type: bool
          sample: true
vendor:
  description:
    - What the vendor's package or directory says of the patch in it.
    - Text of a package is the vendor's only if RV(vendor.signature) is V(ok).
  returned: if O(src) is a package or directory of the vendor's
  type: dict
  contains:
    package:
      description: Name, version, release and architecture of the package. V(null) for a directory.
      returned: always
      type: str
      sample: patch-kernel-5.10.0-60.18.0.50.oe2203-ACC-1-6.x86_64
    uuid:
      description: The name of the patch's directory below C(/usr/lib/syscare/patches), by which SysCare knows it. V(null) if a directory has another name.
      returned: always
      type: str
      sample: 0d9c1c9e-6c0e-4a5e-9d3c-7b9d0f6f4a11
    kind:
      description: V(cumulative) for C(ACC) in the name of the package, V(single) for C(SGL). V(null) for any other, and for a directory.
      returned: always
      type: str
      sample: cumulative
    sequence:
      description: Version and release of the package as numbers. Each cumulative patch of a kernel has higher ones. V(null) if they are no numbers.
      returned: always
      type: list
      elements: int
      sample: [1, 6]
    cves:
      description:
        - The CVEs that the package names in its name, summary and description, by number. At most 1000.
        - The vendor's advisories (C(updateinfo.xml)) may list more. So an empty list does not mean that it fixes none.
      returned: always
      type: list
      elements: str
      sample: [CVE-2023-3389]
    target:
      description: The package that it patches, with version and release. V(null) if the name of the package does not tell.
      returned: always
      type: str
      sample: kernel-5.10.0-60.18.0.50.oe2203
    kernel:
      description: The release of the kernel that it is for. Package and module agree on it, if both tell.
      returned: always
      type: str
      sample: 5.10.0-60.18.0.50.oe2203.x86_64
    architecture:
      description: The architecture that it is for. Package and module agree on it.
      returned: always
      type: str
      sample: x86_64
    signature:
      description:
        - What C(rpm) on the controller says of the package's signature.
        - V(ok) if it is good, and made with a key that C(rpm) trusts there, V(no_key) if C(rpm) has no such key.
        - V(unsigned) if there is none, V(not_checked) if C(rpm) is not installed or does not tell, and for a directory.
        - A package with a wrong signature is an error.
      returned: always
      type: str
      sample: ok
reason:
  description: Stable key of why it failed, for example V(different_build) or V(transition_stalled).
  returned: failure
  type: str
  sample: wrong_vermagic
cause:
  description: Why it failed, in one sentence.
  returned: failure
  type: str
  sample: The patch is built for '6.1.0 SMP ', the kernel is '6.12.48-amd64 SMP preempt mod_unload modversions '.
remedy:
  description: What to do about it, in one sentence.
  returned: failure
  type: str
  sample: Build the patch for the running kernel.
findings:
  description:
    - What was found before, during and after the change. Those of severity V(refuse) forbid the change, and come first.
    - What could not be read is a finding as well. Each one of severity V(warn) is a warning of the task, too.
  returned: unless the arguments or the file are wrong
  type: list
  elements: dict
  contains:
    reason:
      description: Stable key of the check that found it.
      returned: always
      type: str
      sample: kprobe
    severity:
      description: V(refuse), V(warn) or V(info).
      returned: always
      type: str
      sample: refuse
    cause:
      description: What was seen, and why it matters.
      returned: always
      type: str
      sample: A kprobe is set in cmdline_proc_show (at +0x0). The kernel changes no function with a kprobe in it, and would answer EINVAL.
    remedy:
      description: What to do about it, in a sentence.
      returned: always
      type: str
      sample: Find its owner (/sys/kernel/debug/kprobes/list shows it) and remove it first.
proofs:
  description: How the result of a change was proven, or with O(verify=text) that of a task that had nothing to do.
  returned: success
  type: list
  elements: dict
  contains:
    what:
      description: V(state), V(text), V(probe) or V(log).
      returned: always
      type: str
      sample: state
    proven:
      description: V(true), or V(null) where the host does not let one see, or only a part was seen.
      returned: always
      type: bool
      sample: true
    how:
      description: In a sentence.
      returned: always
      type: str
      sample: The kernel shows every patch and function as planned.
attempted:
  description: The step that failed.
  returned: when a step failed
  type: str
  sample: load livepatch_cmdline
errno:
  description: The name of the kernel's error number; V(null) if it did not give one.
  returned: when a step failed
  type: str
  sample: EINVAL
kernel_log:
  description: The kernel's log lines about the failed step, up to 60; of trouble after the change, from its first line on.
  returned: when a step failed
  type: list
  elements: str
  sample: ["livepatch: symbol 'nosuch' not found in symbol table"]
stalling_tasks:
  description: The tasks that held a stalled transition, of the failed step or while it was rolled back.
  returned: when a step failed, or a stalled transition was left running
  type: list
  elements: dict
  contains:
    pid:
      description: The number of its process.
      returned: always
      type: int
      sample: 42
    tid:
      description: Its own number, that of its process unless it is another thread of it.
      returned: always
      type: int
      sample: 42
    command:
      description: The name of the task, as in C(/proc/PID/comm).
      returned: always
      type: str
      sample: sleep
    stack:
      description: The functions in which it is in the kernel, the innermost first. Empty where the kernel does not show it.
      returned: always
      type: list
      elements: str
      sample: [hrtimer_nanosleep+0x9d/0x120, do_nanosleep+0x5d/0x170, do_syscall_64+0x82/0x190]
    held_by:
      description: The function of C(stack) whose old code the task has to leave; V(null) where C(stack) does not show it.
      returned: always
      type: str
      sample: do_nanosleep+0x5d/0x170
    is_kernel_thread:
      description: Whether it is a thread of the kernel, which cannot be ended; V(null) where the kernel does not tell.
      returned: always
      type: bool
      sample: false
rolled_back:
  description: The steps that led the host back.
  returned: when a step failed
  type: list
  elements: str
  sample: [disable livepatch_cmdline, unload livepatch_cmdline]
not_restored:
  description: In what the host differs from before; empty if it does not.
  returned: when a step failed
  type: list
  elements: str
  sample: [livepatch_cmdline is enabled and should be not loaded]
"""

import types
import typing as t

from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.kernel import Kernel
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.arguments import (
    LIVEPATCH_MODULE,
    read_task,
)
from ansible_collections.openeuler.livepatch.plugins.module_utils._manage.manage import manage
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.findings import WARN, FindingError, failure_of
from ansible_collections.openeuler.livepatch.plugins.module_utils._model.request import Task
from ansible_collections.openeuler.livepatch.plugins.module_utils._patch_file.arguments import no_pyelftools
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.files import Files
from ansible_collections.openeuler.livepatch.plugins.module_utils._system.hand_over import Module


def _watched() -> types.ModuleType:
    # Here and not above: few runs are watched, and each compiles what it imports.
    from ansible_collections.openeuler.livepatch.plugins.module_utils._store import watched

    return watched


def _manage(task: Task, job: str | None, is_timed: bool) -> dict[str, t.Any]:
    """The result of the task; a job of that identifier tells what it waits for."""
    if not job:
        return _with_seconds(task, Kernel(), is_timed)
    reporter = _watched().reporter_of(Files(), job)
    try:
        return _with_seconds(task, Kernel(waits=reporter.goes_on), is_timed)
    finally:
        reporter.end()


def _with_seconds(task: Task, kernel: Kernel, is_timed: bool) -> dict[str, t.Any]:
    if not is_timed:
        return manage(task, kernel)
    # Here and not above: few runs are timed.
    from ansible_collections.openeuler.livepatch.plugins.module_utils._apply.timed_kernel import TimedKernel

    timed = TimedKernel(kernel)
    result = manage(task, t.cast(Kernel, timed))
    return {**result, "seconds": timed.seconds()}


def main() -> None:
    module = Module(supports_check_mode=True, **LIVEPATCH_MODULE)
    if "offset" in module.handed_over:
        module.exit_json(**_watched().news_of(Files(), module.handed_over))
    try:
        task = read_task(module.params, module.check_mode, module.handed_over)
    except ImportError:
        module.fail_json(reboot_required=False, **failure_of(no_pyelftools("to read src on the host")))
    except FindingError as error:
        module.fail_json(reboot_required=False, **failure_of(error.finding))
    result = _manage(task, module.handed_over.get("progress"), is_timed=module._verbosity > 0)
    for finding in result.get("findings", []):
        if finding["severity"] == WARN:
            module.warn("{cause} {remedy}".format(**finding))
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
