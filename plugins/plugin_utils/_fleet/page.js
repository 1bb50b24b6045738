/*
 * Copyright (c) 2026, openeuler.livepatch contributors
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
"use strict";
(() => {
  const ROWS_ON_A_PAGE = 100;
  const NAMES_SHOWN = 6;
  const data = JSON.parse(document.getElementById("data").textContent);
  const pool = data.pool;
  const statuses = data.statuses.map(([key, label, tone, mark], place) => ({ key, label, tone, mark, place }));
  const collator = new Intl.Collator("en", { numeric: true });

  // All data go through here: strings become text nodes, never markup.
  function element(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value === true) made.setAttribute(name, "");
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.filter((child) => child !== null));
    return made;
  }

  // A line may break after each punctuation mark of the name.
  function breakable(name) {
    return name.split(/(?<=[-._/])/).flatMap((piece, place) => (place ? [document.createElement("wbr"), piece] : [piece]));
  }

  function hostOf(row, id) {
    const [name, headline, has, why, system, age, alike, different, patches, stacks, notes, labels] = row;
    const [kernel, machine, abi] = system === null ? ["", "", ""] : pool[system];
    const host = { id, name, headline, has, why: pool[why], kernel, machine, abi, age, notes: notes.map((place) => pool[place]) };
    // A host stands as the first one with its kernel, but for some fixes: "different" has the fix and the standing in turns.
    host.alike = data.alike[alike];
    host.different = new Map();
    for (let at = 0; at < different.length; at += 2) host.different.set(different[at], different[at + 1]);
    host.patches = (patches === null ? [] : pool[patches]).map(([title, enabled, moving, effective, boot, build, fixes]) => ({
      name: pool[title], enabled, moving, effective, boot, build, fixes: pool[fixes],
    }));
    host.stacks = stacks === null ? [] : pool[stacks];
    [host.groups, host.variables] = pool[labels];
    host.live = host.patches.filter((patch) => patch.enabled && ["full", "partial"].includes(patch.effective)).map((patch) => patch.name).join(", ");
    const words = has.map((place) => statuses[place].label);
    const noted = host.patches.map((patch) => patch.fixes);
    host.text = [name, kernel, host.why, host.live, ...noted, ...words, ...host.notes, ...host.groups, ...host.variables].join("\n").toLowerCase();
    return host;
  }

  const standings = data.standings.map(([has, why]) => ({ headline: has[0], has, why: pool[why] }));
  const hosts = data.hosts.map(hostOf);
  const standingWith = (host, fix) => standings[host.different.get(fix) ?? host.alike[fix]];
  [...hosts].sort((left, right) => collator.compare(left.name, right.name)).forEach((host, rank) => { host.rank = rank; });

  const byText = (key) => (left, right) => collator.compare(key(left), key(right));
  const anyGroups = hosts.some((host) => host.groups.length);
  // "key" is the column's name in the address of the page.
  const columns = [
    { key: "host", title: "Host", compare: () => 0 },
    { key: "status", title: "Status", compare: (left, right) => standingOf(left).headline - standingOf(right).headline },
    { title: "Why", kind: "optional why", cell: (host) => [standingOf(host).why] },
    { key: "kernel", title: "Kernel", kind: "optional kernel", compare: byText((host) => host.kernel), cell: (host) => breakable(host.kernel) },
    { key: "patches", title: "Live patches", kind: "optional live-patches", compare: byText((host) => host.live), cell: (host) => breakable(host.live) },
    ...(anyGroups ? [{ key: "groups", title: "Groups", kind: "optional groups", compare: byText((host) => host.groups.join()), cell: (host) => breakable(host.groups.join(", ")) }] : []),
    ...data.variables.map((name, place) => ({
      key: `variable-${name}`, title: name, kind: "optional", compare: byText((host) => host.variables[place] ?? ""), cell: (host) => breakable(host.variables[place] ?? ""),
    })),
    { key: "age", title: "Age of facts", kind: "age", compare: (left, right) => (right.age ?? Infinity) - (left.age ?? Infinity) || 0, cell: (host) => [ageText(host.age)] },
  ];
  const AT_FIRST = { text: "", column: 1, backwards: false };
  const view = { ...AT_FIRST, page: 0 };
  const places = new Map(data.fixes.map((fix, place) => [fix, place]));
  const opened = new Set();
  let found = [];

  const standingOf = (host) => (view.fix ? standingWith(host, places.get(view.fix)) : host);
  const number = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const count = (many, what) => `${number(many)} ${what}${many === 1 ? "" : "s"}`;

  function ageText(seconds) {
    if (seconds === null) return "not known";
    for (const [length, unit] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
      if (seconds >= 2 * length || (seconds >= length && unit === "minute")) return count(Math.floor(seconds / length), unit);
    }
    return count(seconds, "second");
  }

  function badge(place) {
    const { label, tone, mark } = statuses[place];
    return element("span", { class: `badge ${tone}` }, element("span", { "aria-hidden": "true" }, mark), ` ${label}`);
  }

  // A name that a shell or Ansible could take for more than a name gets no command.
  const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
  const MOST_IN_A_COMMAND = 100;

  function stepOf(standing, place) {
    const steps = data.steps[place + 1];
    const isProtecting = statuses[standing.headline].tone === "good";
    const status = isProtecting ? standing.has.find((one) => statuses[one].key === "on_trial") : standing.headline;
    return steps[status] ?? null;
  }

  function commandFor(command, names) {
    const isSafe = names.length <= MOST_IN_A_COMMAND && names.every((name) => SAFE_NAME.test(name));
    return command !== null && isSafe ? command.replaceAll("HOST", () => names.join(",")) : null;
  }

  function stepLine([text, command], names) {
    const ready = commandFor(command, names);
    if (ready === null) return element("p", { class: "step" }, "Next: ", text);
    const code = element("code", null, ready);
    const copy = element("button", { type: "button", class: "copy" }, "Copy");
    copy.addEventListener("click", async () => {
      getSelection().selectAllChildren(code);
      // A page from a file or over plain http may not write there; what is selected can be copied all the same.
      try { await navigator.clipboard.writeText(ready); copy.textContent = "Copied"; } catch { copy.textContent = "Selected"; }
    });
    return element("p", { class: "step" }, "Next: ", text, " ", code, " ", copy);
  }

  // Where all hosts that are shown stand alike, one command is for all of them.
  function stepOfAll() {
    const place = view.fix ? places.get(view.fix) : data.fixes.length === 1 ? 0 : -1;
    if (!found.length || (!view.fix && data.fixes.length > 1)) return [];
    const steps = [...new Set(found.map((host) => stepOf(place < 0 ? host : standingWith(host, place), place)))];
    return steps.length === 1 && steps[0] ? [stepLine(steps[0], found.map((host) => host.name))] : [];
  }

  function search() {
    const parts = view.text.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = filters.filter(({ key }) => view[key]).map(({ key, matching }) => matching(view[key]));
    const matches = (host) => chosen.every((isWanted) => isWanted(host)) && parts.every((part) => host.text.includes(part));
    const compare = columns[view.column].compare;
    const sign = view.backwards ? -1 : 1;
    found = hosts.filter(matches).sort((left, right) => sign * (compare(left, right) || left.rank - right.rank));
  }

  const body = element("tbody");
  const headings = columns.map(({ title, kind, compare }, place) =>
    element("th", { scope: "col", class: kind },
      compare ? element("button", { type: "button", class: "sort", onclick: () => sortBy(place) }, title) : title,
      // Printing repeats a heading on each page, but not the button in it.
      compare ? element("span", { class: "print-only" }, title) : null));
  const table = element("table", { id: "table", "aria-labelledby": "hosts-heading" },
    element("thead", null, element("tr", null, ...headings)), body);
  const shown = element("p", { class: "shown", role: "status" });
  const forAll = element("div");
  const pageText = element("span", { id: "page" });
  const previous = element("button", { type: "button", onclick: () => turn(-1) }, "Previous");
  const next = element("button", { type: "button", onclick: () => turn(1) }, "Next");
  const pager = element("nav", { class: "pager", "aria-label": "Pages of hosts" }, previous, pageText, next);

  function pages() {
    return Math.max(1, Math.ceil(found.length / ROWS_ON_A_PAGE));
  }

  function turn(by) {
    const page = view.page + by;
    if (page < 0 || page >= pages()) return;
    view.page = page;
    show();
    document.getElementById("hosts").scrollIntoView();
  }

  function sortBy(place) {
    view.backwards = view.column === place && !view.backwards;
    view.column = place;
    view.page = 0;
    update();
  }

  function update() {
    search();
    show();
    remember();
  }

  function show() {
    const start = view.page * ROWS_ON_A_PAGE;
    fill(found.slice(start, start + ROWS_ON_A_PAGE));
    headings.forEach((heading, place) => {
      if (place === view.column) heading.setAttribute("aria-sort", view.backwards ? "descending" : "ascending");
      else heading.removeAttribute("aria-sort");
    });
    const told = filters.filter(({ key }) => view[key]).map(({ label, box }) => `${label.toLowerCase()} ${box.selectedOptions[0].textContent}`);
    if (view.text) told.unshift(`text "${view.text}"`);
    shown.textContent = `${number(found.length)} of ${count(hosts.length, "host")}${told.length ? ` (${told.join(", ")})` : ""}`;
    pageText.textContent = `Page ${number(view.page + 1)} of ${number(pages())}`;
    // Not "disabled", because a disabled button loses the focus.
    previous.setAttribute("aria-disabled", String(view.page === 0));
    next.setAttribute("aria-disabled", String(view.page + 1 >= pages()));
    pager.hidden = pages() === 1;
    clear.hidden = told.length === 0;
    forAll.replaceChildren(...stepOfAll());
  }

  function fill(chosen) {
    const rows = [];
    for (const host of chosen) {
      rows.push(rowOf(host));
      if (opened.has(host.id)) rows.push(detailOf(host));
    }
    if (!rows.length) rows.push(element("tr", null, element("td", { colspan: columns.length }, "No host matches.")));
    body.replaceChildren(...rows);
  }

  function rowOf(host) {
    const standing = standingOf(host);
    const isOpen = opened.has(host.id);
    return element("tr", null,
      element("th", { scope: "row" }, element("button", {
        type: "button", class: "open", "aria-expanded": String(isOpen), "aria-controls": isOpen && `detail-${host.id}`,
        onclick: (event) => toggle(host, event.currentTarget),
      }, ...breakable(host.name))),
      element("td", null, element("span", { class: "badges" }, badge(standing.headline))),
      ...columns.filter(({ cell }) => cell).map(({ kind, cell }) => element("td", { class: kind }, ...cell(host))));
  }

  function toggle(host, button) {
    const row = button.closest("tr");
    if (opened.delete(host.id)) {
      row.nextElementSibling.remove();
      button.removeAttribute("aria-controls");
    } else {
      opened.add(host.id);
      row.after(detailOf(host));
      button.setAttribute("aria-controls", `detail-${host.id}`);
    }
    button.setAttribute("aria-expanded", String(opened.has(host.id)));
  }

  function part(title, ...content) {
    return [element("h3", null, title), ...content];
  }

  function detailOf(host) {
    const kernel = [host.kernel || "kernel not known", host.machine, host.abi].filter(Boolean).join(", ");
    const content = [
      element("p", null, host.age === null ? kernel : `${kernel}. The facts are ${ageText(host.age)} old.`),
      element("p", null, element("span", { class: "badges" }, ...host.has.map(badge))),
    ];
    const labels = [["groups", host.groups.join(", ")], ...data.variables.map((name, place) => [name, host.variables[place]])];
    const known = labels.filter(([, value]) => value).map(([name, value]) => `${name}: ${value}`);
    if (known.length) content.push(element("p", null, known.join("; ")));
    const next = (standing, place) => {
      const step = stepOf(standing, place);
      return step && stepLine(step, [host.name]);
    };
    if (!data.fixes.length) content.push(element("p", null, host.why), ...[next(host, -1)].filter(Boolean));
    else content.push(...part("Fixes", element("ul", null, ...data.fixes.map((fix, place) => {
      const standing = standingWith(host, place);
      return element("li", { class: "fix" }, badge(standing.headline), ` ${fix}. ${standing.why}`, next(standing, place));
    }))));
    if (host.patches.length) content.push(...part("Loaded patches", element("ul", null, ...host.patches.map(patchLine))));
    if (host.stacks.length) content.push(...part("Replaced functions", element("div", { class: "stacks" }, ...host.stacks.map(drawing))));
    if (host.notes.length) content.push(...part("Notes", element("ul", null, ...host.notes.map((note) => element("li", null, note)))));
    return element("tr", { class: "detail", id: `detail-${host.id}` }, element("td", { colspan: columns.length }, ...content));
  }

  function patchLine(patch) {
    const effect = { full: "effective", partial: "partly effective", none: "not effective", null: "effect unknown" }[patch.effective];
    const boot = { accepted: "accepted", quarantined: "in quarantine", trial: "on trial" }[patch.boot];
    const states = [
      patch.enabled ? "enabled" : "not enabled", patch.moving && "in transition", patch.enabled && effect, patch.enabled && boot,
      patch.fixes && `fixes ${patch.fixes}`, patch.build && `SHA-256 ${patch.build}…`,
    ];
    return element("li", null, element("strong", null, patch.name), `: ${states.filter(Boolean).join(", ")}`);
  }

  function drawing([patches, functions, runs]) {
    const layers = patches.map((place, height) => {
      const isTop = height === patches.length - 1, isLive = isTop && runs;
      const role = isLive ? "live" : isTop ? "not live" : "covered";
      return element("li", { class: isLive && "live" }, element("span", { class: "role" }, role), ...breakable(pool[place]));
    }).reverse();
    const kernel = element("li", { class: "kernel" }, element("span", { class: "role" }, "replaced"), "original");
    const names = functions.map((place) => pool[place].join("/"));
    const caption = element("figcaption", null, names.slice(0, NAMES_SHOWN).join(", "));
    if (names.length > NAMES_SHOWN) {
      caption.append(element("details", null,
        element("summary", null, `${number(names.length - NAMES_SHOWN)} more`), names.slice(NAMES_SHOWN).join(", ")));
    }
    return element("figure", { class: "stack" }, element("ol", null, ...layers, kernel), caption);
  }

  const option = ([value, text]) => element("option", { value }, text);
  const sorted = (values) => [...new Set(values.filter(Boolean))].sort(collator.compare);
  const optionsOf = (values) => sorted(values).map((value) => option([value, value]));
  const isHeadline = new Set([...hosts, ...standings].map(({ headline }) => headline));
  const isThere = new Set(hosts.flatMap((host) => host.has));
  const those = (how, has) => statuses.filter(({ place }) => has.has(place)).map(({ key, label }) => option([`${how}:${key}`, label]));
  const alsoThere = statuses.filter(({ place }) => isThere.has(place)).map(({ key, label }) => option([`has:${key}`, `${label}, among others`]));

  function withStatus(chosen) {
    const [how, key] = chosen.split(":");
    const wanted = statuses.findIndex((status) => status.key === key);
    return how === "is" ? (host) => standingOf(host).headline === wanted : (host) => standingOf(host).has.includes(wanted);
  }

  // "matching" makes a test of hosts from the value that is chosen. The fix decides which standing the others look at.
  const filters = [
    { key: "status", label: "Status", matching: withStatus, options: [
      element("optgroup", { label: "Headline" }, ...those("is", isHeadline)),
      element("optgroup", { label: "Any of its statuses" }, ...alsoThere),
    ] },
    { key: "fix", label: "Fix", matching: () => () => true, options: data.fixes.map((fix) => option([fix, fix])) },
    { key: "kernel", label: "Kernel", matching: (kernel) => (host) => host.kernel === kernel, options: optionsOf(hosts.map((host) => host.kernel)) },
    { key: "group", label: "Group", matching: (group) => (host) => host.groups.includes(group), options: optionsOf(hosts.flatMap((host) => host.groups)) },
    ...data.variables.map((name, place) => ({
      key: `variable-${name}`, label: name, matching: (value) => (host) => host.variables[place] === value,
      options: optionsOf(hosts.map((host) => host.variables[place])),
    })),
  ];
  for (const filter of filters) {
    const { key, label, options } = filter;
    AT_FIRST[key] = view[key] = "";
    filter.box = element("select", { id: `by-${key}` }, element("option", { value: "" }, "any"), ...options);
    filter.box.addEventListener("change", () => { view[key] = filter.box.value; view.page = 0; update(); });
    filter.control = element("label", { hidden: !options.length }, label, filter.box);
  }
  const input = element("input", { type: "search", id: "by-text", autocomplete: "off", spellcheck: "false" });
  input.addEventListener("input", () => { view.text = input.value.trim(); view.page = 0; update(); });
  const clear = element("button", { type: "button", onclick: () => { filterBy({}); input.focus(); } }, "Clear filters");
  const controls = element("form", { class: "controls", role: "search", "aria-label": "Filter the hosts", onsubmit: (event) => event.preventDefault() },
    element("label", { class: "search" }, "Search in names, kernels, patches, reasons", input), ...filters.map(({ control }) => control), clear);

  // A value that no list has is "any": it may be from the address of another report.
  function filterBy(wanted) {
    Object.assign(view, { text: wanted.text ?? "", page: 0 });
    input.value = view.text;
    for (const { key, box } of filters) {
      box.value = wanted[key] ?? "";
      if (box.selectedIndex < 0) box.value = "";
      view[key] = box.value;
    }
    update();
  }

  // The address has what is looked at, so that it can be sent. Browsers refuse to change it too often.
  let waiting = null;
  function remember() {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const parts = new URLSearchParams();
      for (const key of ["text", ...filters.map((filter) => filter.key)]) if (view[key]) parts.set(key, view[key]);
      if (view.column !== AT_FIRST.column || view.backwards) parts.set("sort", `${view.backwards ? "-" : ""}${columns[view.column].key}`);
      const fragment = parts.toString();
      history.replaceState(null, "", location.href.split("#")[0] + (fragment && `#${fragment}`));
    }, 200);
  }

  function recall() {
    if (!location.hash.includes("=")) return false;
    const parts = new URLSearchParams(location.hash.slice(1));
    const sort = parts.get("sort") ?? "";
    const column = columns.findIndex(({ key, compare }) => compare && key === sort.replace(/^-/, ""));
    view.column = column < 0 ? AT_FIRST.column : column;
    view.backwards = column >= 0 && sort.startsWith("-");
    filterBy(Object.fromEntries(parts));
    return true;
  }

  // A number of the summary becomes a button that shows the hosts it counts.
  function leadTo(item, filter) {
    const lead = item.querySelector(".lead");
    const button = element("button", { type: "button", class: "link", onclick: () => {
      filterBy({ ...filter, status: item.dataset.status });
      const section = document.getElementById("hosts");
      section.focus({ preventScroll: true });
      section.scrollIntoView();
    } });
    button.append(...lead.childNodes);
    lead.append(button);
  }

  for (const item of document.querySelectorAll("[data-status]")) {
    const { fix, kernel, group, cve } = item.closest("tr")?.dataset ?? {};
    if (cve === undefined) leadTo(item, { fix, kernel, group });
  }

  window.addEventListener("beforeprint", () => fill(found));
  window.addEventListener("afterprint", show);

  const list = document.getElementById("list");
  list.append(controls, shown, forAll, table, pager);
  list.hidden = false;
  window.addEventListener("hashchange", recall);
  if (!recall()) update();
})();
