// The list of classes, and the controls that describe one of them.

import { breakable, element, find, plural, quoted, say } from "./elements.js";
import { readPasted } from "./pasted.js";
import { shortest } from "./table.js";

const MOST_LISTED = 200, MOST_STARTS = 2000, LONGEST_NAME = 200, FEW_ATTRIBUTES = 60;

const plain = (text) => text.toLowerCase().replaceAll("_", " ");

export class Editor {
  constructor(table, words) {
    this.table = table;
    this.words = words;
    this.chosen = table.rows[0].name;
    this.answer = null;
    this.filter = "";
    this.opened = new Set();
    find("class-search").addEventListener("input", () => this.list());
    find("add").addEventListener("click", () => this.add());
    find("paste").addEventListener("click", () => this.unfold(find("pasting").hidden));
    find("pasting").addEventListener("submit", (event) => { event.preventDefault(); this.take(); });
    table.listen(() => this.follow());
    this.list();
    this.edit();
  }

  unfold(isOpen) {
    find("pasting").hidden = !isOpen;
    find("paste").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) find("pasted").focus();
  }

  choose(name, scroll = true) {
    this.chosen = name;
    this.list();
    this.edit();
    if (scroll) {
      find("editor").scrollIntoView({ block: "start" });
      find("class-name").focus({ preventScroll: true });
    }
  }

  // After a change that is not one of this editor's own controls, everything is shown anew.
  follow() {
    if (!this.table.row(this.chosen)) this.chosen = (this.table.rows.at(-1) ?? { name: "" }).name;
    this.list();
    if (!this.isOwn) this.edit();
    else this.marks();
  }

  own(change) {
    this.isOwn = true;
    try { change(); } finally { this.isOwn = false; }
  }

  list() {
    const wanted = plain(find("class-search").value.trim()), table = this.table;
    const found = table.rows.filter((row) => plain(row.name).includes(wanted));
    const added = found.filter((row) => row.base < 0), others = found.filter((row) => row.base >= 0);
    const shown = [...added.reverse(), ...others].slice(0, MOST_LISTED);
    const list = find("class-list"), place = list.scrollTop;
    list.replaceChildren(...shown.map((row) => element("li", {}, element("button", {
      type: "button", "aria-pressed": String(row.name === this.chosen), click: () => this.choose(row.name, matchMedia("(max-width: 60rem)").matches),
    }, element("span", {}, ...breakable(row.name, row.seen ? "" : "○")),
    element("span", { class: "tag" }, row.base < 0 ? "added" : table.isChanged(row) ? "changed" : "")))));
    list.scrollTop = place;
    const gone = table.base.length - table.rows.filter((row) => row.base >= 0).length;
    const more = found.length > shown.length ? `, of which ${shown.length} are listed` : "";
    find("class-count").textContent = `${plural(found.length, "class", "classes")}${more}${gone ? `; ${gone} removed` : ""}`;
  }

  add() {
    const table = this.table, nearest = this.answer?.classes[0].name ?? table.rows[0]?.name;
    const name = table.freeName("new class");
    this.chosen = name;
    find("class-search").value = "";
    table.add(name, table.row(nearest)?.values ?? table.base[0].values, nearest);
    find("class-name").select();
    find("editor").scrollIntoView({ block: "start" });
  }

  take() {
    const table = this.table;
    try {
      const read = readPasted(find("pasted").value, table, this.words);
      const rows = new Map(table.rows.map((row) => [row.name, row]));
      let last = "";
      for (const { name, values } of read) {
        last = name || table.freeName("new class");
        const known = rows.get(last);
        const all = Float32Array.from(table.attributes, (_, column) => values[column] ?? known?.values[column] ?? table.mean(column));
        rows.set(last, { ...(known ?? { name: last, base: -1, seen: false }), values: all });
      }
      this.chosen = last;
      table.change([...rows.values()]);
      const missing = table.attributes.length - Object.keys(read[0].values).length;
      const told = [plural(read.length, "row was taken", "rows were taken")];
      if (missing) told.push(`${plural(missing, "attribute", "attributes")} without a value ${missing === 1 ? "keeps" : "keep"} that of the class, or the mean of all`);
      if (read[0].left.length) told.push(`no attributes: ${read[0].left.slice(0, 3).join(", ")}${read[0].left.length > 3 ? ", …" : ""}`);
      say(`${told.join("; ")}.`, false);
      find("pasted").value = "";
      this.unfold(false);
    } catch (error) {
      say(error.message);
    }
  }

  edit() {
    const table = this.table, row = table.row(this.chosen), box = find("editor");
    if (!row) { box.replaceChildren(element("p", { class: "note" }, "There is no class. Undo, or add one.")); return; }
    const name = element("input", {
      id: "class-name", value: row.name, maxlength: LONGEST_NAME, autocomplete: "off", spellcheck: "false", readonly: row.seen,
      "aria-describedby": "class-about", change: () => this.rename(name),
    });
    const search = element("input", { type: "search", value: this.filter, placeholder: "Find an attribute", "aria-label": "Find an attribute", input: () => { this.filter = search.value; this.narrow(); } });
    const about = row.seen ? "This class has training photos under this name, so it keeps the name."
      : row.base < 0 ? ["You added this class", ...(row.from ? ["; it began with the values of ", ...quoted(row.from)] : []), "."] : "This class has no training photos: its description is all that the model has.";
    box.replaceChildren(
      element("div", { class: "named" }, element("label", { for: "class-name" }, "Name"), name),
      element("p", { class: "note", id: "class-about" }, ...[about].flat()),
      element("div", { class: "tools" }, this.starts(),
        element("button", { type: "button", id: "restore", hidden: row.base < 0 || !table.isChanged(row), click: () => { this.chosen = table.base[row.base].name; table.restore(row.name); } }, "Back to the model's table"),
        element("button", { type: "button", id: "remove", click: () => table.remove(row.name) }, "Remove this class")),
      element("div", { class: "tools" }, search,
        element("label", { class: "check" }, this.only = element("input", { type: "checkbox", change: () => this.narrow() }), "only those that decided")),
      this.fields(row), this.none = element("p", { class: "note", hidden: true }, "No attribute is found."));
    this.narrow();
  }

  // The values of another class, or what the model reads in the photo, as a beginning.
  starts() {
    const table = this.table, near = (this.answer?.classes ?? []).slice(0, 5).map((item) => item.name);
    const option = (name) => element("option", { value: `=${name}` }, name);
    const others = table.rows.slice(0, MOST_STARTS).map((row) => row.name).filter((name) => name !== this.chosen);
    const groups = [element("option", { value: "" }, "…")];
    if (this.answer) groups.push(element("option", { value: "photo" }, "what is read in this photo"));
    if (near.length) groups.push(element("optgroup", { label: "Like this photo" }, ...near.filter((name) => name !== this.chosen).map(option)));
    groups.push(element("optgroup", { label: "All classes" }, ...others.map(option)));
    const list = element("select", { change: () => {
      if (list.value) table.setRow(this.chosen, list.value === "photo" ? this.readInPhoto() : table.row(list.value.slice(1)).values);
    } }, ...groups);
    return element("label", { class: "start" }, "Copy the values of ", list);
  }

  // Predicted attributes have a direction and no length, so they get the mean length of the rows.
  readInPhoto() {
    const table = this.table, length = (values) => Math.hypot(...values);
    const mean = table.rows.reduce((sum, row) => sum + length(row.values), 0) / table.rows.length;
    const factor = mean / (length(this.answer.predicted) || 1);
    return this.answer.predicted.map((value, column) => {
      const control = table.controls[column], scaled = Math.min(control.high, Math.max(control.low, factor * value));
      return control.isSwitch ? Number(scaled > 0.5) : Math.round(scaled / control.step) * control.step;
    });
  }

  rename(input) {
    const name = input.value.normalize("NFC").trim(), before = this.chosen;
    if (name === before) return;
    if (!name || this.table.row(name)) {
      say(name ? `There is a class “${name}” already. Choose another name.` : "Expected a name, got an empty one. Name the class.");
      input.value = before;
      return;
    }
    this.chosen = name;
    this.own(() => this.table.rename(before, name));
  }

  fields(row) {
    const { table } = this;
    this.shown = [];
    if (!table.groups) return element("div", { class: "fields" }, ...table.attributes.map((_, column) => this.field(row, column)));
    const groups = Map.groupBy ? Map.groupBy(table.attributes.keys(), (column) => table.groups[column]) : grouped(table);
    return element("div", { class: "groups" }, ...[...groups].map(([group, columns]) => {
      const summary = element("span", { class: "tag" });
      const details = element("details", { open: table.attributes.length <= FEW_ATTRIBUTES || this.opened.has(group), toggle: () => { if (!this.narrowed) this.opened[details.open ? "add" : "delete"](group); } },
        element("summary", {}, element("span", {}, group.replaceAll("_", " ")), summary),
        element("div", { class: "fields" }, ...columns.map((column) => this.field(row, column))));
      this.shown.push({ details, summary, columns });
      return details;
    }));
  }

  field(row, column) {
    const { table } = this, control = table.controls[column], name = table.attributes[column];
    const group = table.groups?.[column], label = group && name.startsWith(`${group}::`) ? name.slice(group.length + 2) : name;
    const value = shortest(row.values[column]);
    const set = (number, key) => this.own(() => table.set(this.chosen, column, number, key));
    const words = element("span", { class: "name", title: name }, ...breakable(label.replaceAll("_", " ")));
    if (control.isSwitch && (value === 0 || value === 1)) {
      const box = element("input", { type: "checkbox", role: "switch", checked: value === 1, "aria-label": name, change: () => set(Number(box.checked)) });
      return element("label", { class: "field", "data-column": column }, words, box);
    }
    const range = { min: Math.min(control.low, value), max: Math.max(control.high, value), step: "any", value };
    const slider = element("input", { type: "range", ...range, step: control.step ?? 0.01, "aria-label": name, input: () => { exact.value = slider.value; set(Number(slider.value), `${this.chosen}/${column}`); }, pointerdown: () => table.endStep(), blur: () => table.endStep() });
    const exact = element("input", { type: "number", step: "any", value: Number(value.toPrecision(3)), "aria-label": `${name}, as a number`, change: () => {
      const number = exact.valueAsNumber;
      if (!Number.isFinite(number)) { exact.value = shortest(table.row(this.chosen).values[column]); return; }
      slider.value = number;
      set(number);
    } });
    return element("div", { class: "field", "data-column": column }, words, slider, exact);
  }

  // Shows the fields that are searched for, and what each group says.
  narrow() {
    const wanted = plain(this.filter.trim());
    const decided = this.only.checked && this.answer?.reasons ? new Set(["found", "rightly_absent", "against"].flatMap((side) => this.answer.reasons[side].map((one) => one.attribute))) : null;
    const { attributes } = this.table;
    this.narrowed = Boolean(wanted || decided);
    let count = 0;
    for (const field of document.querySelectorAll("#editor .field")) {
      const name = attributes[field.dataset.column];
      field.hidden = !plain(name).includes(wanted) || (decided !== null && !decided.has(name));
      count += Number(!field.hidden);
    }
    for (const { details } of this.shown) {
      details.hidden = !details.querySelector(".field:not([hidden])");
      if (this.narrowed) details.open = true;
    }
    this.none.hidden = count > 0;
    this.marks();
  }

  // What changes of the editor while one of its own controls is used.
  marks() {
    const row = this.table.row(this.chosen), { attributes } = this.table;
    find("restore").hidden = row.base < 0 || !this.table.isChanged(row);
    for (const { summary, columns } of this.shown) {
      const best = columns.reduce((one, other) => (row.values[other] > row.values[one] ? other : one));
      const short = attributes[best].split("::").at(-1).replaceAll("_", " ");
      summary.textContent = row.values[best] > 0 ? `${short} ${Number(shortest(row.values[best]).toPrecision(2))}` : "none";
    }
  }

  // A new answer changes which classes are like the photo, and which attributes decided.
  inform(answer) {
    this.answer = answer;
    if (this.only.checked) this.narrow();
    const list = document.querySelector(".start");
    if (list && !list.contains(document.activeElement)) list.replaceWith(this.starts());
  }
}

function grouped(table) {
  const groups = new Map();
  table.groups.forEach((group, column) => groups.set(group, [...(groups.get(group) ?? []), column]));
  return groups;
}
