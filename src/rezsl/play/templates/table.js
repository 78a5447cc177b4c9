// The table of classes: its rows, their changes with undo, and its file.

const decode = (text) => new Float32Array(Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer);

// Values have the precision of float32; this is the shortest decimal number that stands for one.
export function shortest(value) {
  for (let digits = 1; digits < 9; digits += 1) {
    const number = Number(value.toPrecision(digits));
    if (Math.fround(number) === Math.fround(value)) return number;
  }
  return Number(value.toPrecision(9));
}

const MOST_STEPS = 200;
const FORMULA = /^'*[=+\-@\t\r]/, NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(inf|nan)$/;

// Spreadsheets run such a cell as a formula unless an apostrophe stands before it, which rezsl removes again.
function cell(text) {
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export class Table {
  constructor(model) {
    const width = model.attributes.length, values = decode(model.values);
    this.attributes = model.attributes;
    this.groups = model.groups;
    this.base = model.classes.map((name, index) => ({
      name, base: index, seen: model.seen[index], values: values.subarray(index * width, (index + 1) * width),
    }));
    this.rows = this.base;
    this.past = [];
    this.future = [];
    this.step = null;
    this.isSaved = true;
    this.listeners = [];
    this.range = values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
    this.isMarked = values.every((value) => value === 0 || value === 1);
    this.controls = this.attributes.map((_, column) => this.control(column));
  }

  // What sets an attribute: a switch where classes have 0 or 1, and a slider elsewhere.
  control(column) {
    const values = new Set(this.base.map((row) => row.values[column]));
    const [least, most] = this.range;
    const isMarked = [...values].every((value) => value === 0 || value === 1) && most <= 1;
    if (isMarked && (values.size === 2 || this.isMarked)) return { isSwitch: true, low: 0, high: 1 };
    if (least >= 0 && most <= 1) return { isSwitch: false, low: 0, high: 1, step: 0.01 };
    if (least >= 0 && most > 10 && most <= 100) return { isSwitch: false, low: 0, high: 100, step: 1 };
    const [low, high] = values.size > 1 ? [Math.min(...values), Math.max(...values)] : [least, most];
    return { isSwitch: false, low, high, step: 10 ** Math.floor(Math.log10((high - low) / 50 || 1)) };
  }

  row(name) { return this.rows.find((row) => row.name === name); }

  listen(listener) { this.listeners.push(listener); }

  // Steps with the same key, as those of one pull at a slider, are undone together.
  change(rows, key = null) {
    if (key === null || key !== this.step) this.past = [...this.past.slice(1 - MOST_STEPS), this.rows];
    this.step = key;
    this.future = [];
    this.show(rows);
  }

  show(rows) {
    this.rows = rows;
    this.isSaved = rows === this.base;
    for (const listener of this.listeners) listener();
  }

  endStep() { this.step = null; }

  undo() {
    if (!this.past.length) return;
    this.future.push(this.rows);
    this.step = null;
    this.show(this.past.pop());
  }

  redo() {
    if (!this.future.length) return;
    this.past.push(this.rows);
    this.show(this.future.pop());
  }

  replaced(name, part) {
    return this.rows.map((row) => (row.name === name ? { ...row, ...part } : row));
  }

  set(name, column, value, key) {
    const values = Float32Array.from(this.row(name).values);
    values[column] = value;
    this.change(this.replaced(name, { values }), key);
  }

  setRow(name, values) { this.change(this.replaced(name, { values: Float32Array.from(values) })); }

  rename(name, renamed) { this.change(this.replaced(name, { name: renamed })); }

  add(name, values, from) {
    this.change([...this.rows, { name, base: -1, seen: false, from, values: Float32Array.from(values) }]);
  }

  remove(name) { this.change(this.rows.filter((row) => row.name !== name)); }

  restore(name) {
    const original = this.base[this.row(name).base];
    this.change(this.rows.map((row) => (row.name === name ? original : row)));
  }

  freeName(wanted) {
    const names = new Set(this.rows.map((row) => row.name));
    let name = wanted;
    for (let number = 2; names.has(name); number += 1) name = `${wanted} ${number}`;
    return name;
  }

  isChanged(row) {
    const original = this.base[row.base];
    return !original || original.name !== row.name || !original.values.every((value, column) => value === row.values[column]);
  }

  mean(column) { return this.rows.reduce((sum, row) => sum + row.values[column], 0) / this.rows.length; }

  // What is sent of the table: the rows that differ from those that the model has.
  changes() {
    if (this.rows === this.base) return { removed: [], rows: {} };
    const left = new Set(this.rows.filter((row) => row.base >= 0 && this.base[row.base].name === row.name).map((row) => row.base));
    const removed = this.base.filter((row) => !left.has(row.base)).map((row) => row.name);
    const changed = this.rows.filter((row) => row !== this.base[row.base] && this.isChanged(row));
    return { removed, rows: Object.fromEntries(changed.map((row) => [row.name, [...row.values].map(shortest)])) };
  }

  csv() {
    const lines = [["class", ...this.attributes], ...this.rows.map((row) => [row.name, ...[...row.values].map((value) => String(shortest(value)))])];
    return lines.map((line) => `${line.map(cell).join(",")}\n`).join("");
  }
}
