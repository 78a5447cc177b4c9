"use strict";
(() => {
  const data = JSON.parse(document.getElementById("matrices").textContent);
  for (const run of data) if (typeof run.values === "number") run.values = data[run.values].values;
  const root = document.documentElement;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const LIGHT = [[255, 255, 255], [254, 217, 166], [244, 134, 93], [183, 55, 121], [81, 18, 124], [15, 5, 45]];
  const DARK = [[20, 23, 27], [66, 22, 104], [150, 44, 128], [226, 84, 98], [254, 168, 112], [252, 253, 215]];
  const mean = (numbers) => {
    const known = numbers.filter((number) => number !== null);
    return known.length ? known.reduce((sum, number) => sum + number, 0) / known.length : 0;
  };
  const column = (matrix, index) => matrix.map((row) => row[index]);
  const byName = (left, right) => left.localeCompare(right, undefined, { numeric: true });
  const color = (share) => {
    const stops = isDark() ? DARK : LIGHT;
    const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(place));
    return stops[low].map((part, channel) => Math.round(part + (place - low) * (stops[low + 1][channel] - part)));
  };

  // With too many columns to name them all, the worst are named, with leader lines of this many pixels.
  const WORST = 12, LEADER = 16;

  class Matrix {
    constructor(figure) {
      this.figure = figure;
      this.run = data[Number(figure.dataset.run)];
      this.canvas = figure.querySelector("canvas");
      this.readout = figure.querySelector(".readout");
      this.frame = figure.querySelector(".frame");
      this.controls = Object.fromEntries([...figure.querySelectorAll("[data-control]")].map((one) => [one.dataset.control, one]));
      this.cursor = null;
      for (const control of Object.values(this.controls)) control.addEventListener("change", () => { this.sort(); this.draw(); });
      this.canvas.addEventListener("pointermove", (event) => this.point(event));
      this.canvas.addEventListener("pointerdown", (event) => this.point(event));
      this.canvas.addEventListener("keydown", (event) => this.key(event));
      this.sort();
    }

    sort() {
      const { classes, attributes, seen, accuracy, errors, values } = this.run;
      const of = (order, key) => order.map((index) => [key(index), index]).sort((a, b) => b[0] - a[0] || a[1] - b[1]).map((pair) => pair[1]);
      const columns = attributes.map((_, index) => index), rows = classes.map((_, index) => index);
      const chosen = this.cursor && [this.rows[this.cursor[0]], this.columns[this.cursor[1]]];
      this.columns = {
        error: () => of(columns, (index) => mean(column(errors, index))),
        value: () => of(columns, (index) => mean(column(values, index))),
        name: () => columns.sort((a, b) => byName(attributes[a], attributes[b])),
        table: () => columns,
      }[this.controls.columns.value]();
      this.rows = {
        side: () => of(rows, (index) => (seen[index] ? 1 : 0)),
        error: () => of(rows, (index) => mean(errors[index])),
        accuracy: () => of(rows, (index) => accuracy[index] ?? -1),
        name: () => rows.sort((a, b) => byName(classes[a], classes[b])),
      }[this.controls.rows.value]();
      if (chosen) this.cursor = [this.rows.indexOf(chosen[0]), this.columns.indexOf(chosen[1])];
    }

    layout() {
      const context = this.canvas.getContext("2d");
      const { classes, attributes } = this.run;
      const room = this.canvas.parentElement.clientWidth;
      // Cut in the middle: names of one table often begin alike.
      const fit = (text, most) => (text.length > most ? `${text.slice(0, Math.ceil(most / 2))}…${text.slice(1 - Math.floor(most / 2))}` : text);
      context.font = this.font = "12px system-ui, 'DejaVu Sans', sans-serif";
      const widest = (names) => Math.max(0, ...names.map((name) => context.measureText(name).width));
      this.named = { rows: classes.length <= 60, columns: attributes.length <= 60 };
      this.rowNames = classes.map((name, index) => fit(name, room < 500 ? 12 : 24) + (this.run.seen[index] ? "" : " ○"));
      this.columnNames = attributes.map((name) => fit(name, 22));
      const errors = attributes.map((_, index) => mean(column(this.run.errors, index)));
      this.worst = new Set(attributes.map((_, index) => index).sort((a, b) => errors[b] - errors[a]).slice(0, WORST));
      this.left = this.named.rows ? Math.ceil(widest(this.rowNames)) + 8 : 12;
      this.top = Math.ceil(widest(this.columnNames.filter((_, index) => this.named.columns || this.worst.has(index)))) + (this.named.columns ? 8 : 8 + LEADER);
      const smallest = this.named.columns ? 15 : 3;
      this.width = Math.min(40, Math.max(smallest, Math.floor(((room - this.left - 2) / attributes.length) * 100) / 100));
      this.height = this.named.rows ? Math.max(15, Math.min(26, 320 / classes.length)) : Math.max(3, 640 / classes.length);
      const size = [this.left + this.width * attributes.length + 2, this.top + this.height * classes.length + 2].map(Math.ceil);
      const ratio = window.devicePixelRatio || 1;
      [this.canvas.width, this.canvas.height] = size.map((length) => Math.round(length * ratio));
      [this.canvas.style.width, this.canvas.style.height] = size.map((length) => `${length}px`);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      return context;
    }

    draw() {
      const context = this.layout();
      const matrix = this.run[this.controls.show.value], style = getComputedStyle(root);
      const sizes = matrix.flat().filter((value) => value !== null).map(Math.abs).sort((a, b) => a - b);
      // A few extreme cells would leave all others pale.
      const high = sizes[Math.floor(0.995 * (sizes.length - 1))] || sizes[sizes.length - 1] || 1;
      this.drawCells(context, matrix, high);
      context.strokeStyle = style.getPropertyValue("--soft");
      context.strokeRect(this.left - 0.5, this.top - 0.5, this.width * this.columns.length + 1.5, this.height * this.rows.length + 1.5);
      this.drawNames(context, style.getPropertyValue("--ink"));
      this.drawLine(context, style.getPropertyValue("--ink"));
      this.drawLegend(high, sizes.length > 0 && matrix.flat().some((value) => value < 0), sizes[sizes.length - 1] > high);
      this.mark();
    }

    drawCells(context, matrix, high) {
      // A pixel per cell, enlarged at once: 62,400 rectangles one by one would take a good part of a second.
      const cells = document.createElement("canvas");
      [cells.width, cells.height] = [this.columns.length, this.rows.length];
      const small = cells.getContext("2d"), picture = small.createImageData(cells.width, cells.height);
      let place = 0;
      for (const row of this.rows) for (const index of this.columns) {
        const value = matrix[row][index];
        picture.data.set(value === null ? [0, 0, 0, 0] : [...color(Math.abs(value) / high), 255], place);
        place += 4;
      }
      small.putImageData(picture, 0, 0);
      context.imageSmoothingEnabled = false;
      context.drawImage(cells, this.left, this.top, this.width * cells.width, this.height * cells.height);
    }

    drawNames(context, ink) {
      context.fillStyle = ink;
      context.font = this.font;
      context.textBaseline = "middle";
      if (this.named.rows) {
        context.textAlign = "right";
        this.rows.forEach((row, y) => context.fillText(this.rowNames[row], this.left - 5, this.top + (y + 0.5) * this.height));
      }
      context.textAlign = "left";
      context.strokeStyle = getComputedStyle(root).getPropertyValue("--soft");
      const places = this.columns.flatMap((index, x) => (this.named.columns || this.worst.has(index) ? [[index, this.left + (x + 0.5) * this.width]] : []));
      // Names that would overlap move apart: to the right, and back from the end; a line leads from each to its column.
      const spots = places.map((pair) => pair[1]), least = this.named.columns ? 0 : 15;
      for (let at = 1; at < spots.length; at++) spots[at] = Math.max(spots[at], spots[at - 1] + least);
      for (let at = spots.length - 1, end = this.left + this.width * this.columns.length; at >= 0; at--, end -= least) spots[at] = Math.min(spots[at], end);
      places.forEach(([index, x], at) => {
        const y = this.top - (this.named.columns ? 5 : 5 + LEADER);
        context.save();
        context.translate(spots[at], y);
        context.rotate(-Math.PI / 2);
        context.fillText(this.columnNames[index], 0, 0);
        context.restore();
        if (this.named.columns) return;
        context.beginPath();
        context.moveTo(spots[at], y + 3);
        context.lineTo(x, this.top - 1);
        context.stroke();
      });
    }

    drawLine(context, ink) {
      const seen = this.run.seen.filter(Boolean).length;
      if (this.controls.rows.value !== "side" || !seen || seen === this.rows.length) return;
      context.lineWidth = 2;
      context.strokeStyle = ink;
      context.beginPath();
      context.moveTo(this.left - 8, this.top + seen * this.height);
      context.lineTo(this.left + this.columns.length * this.width, this.top + seen * this.height);
      context.stroke();
      context.lineWidth = 1;
    }

    mark() {
      this.frame.hidden = this.cursor === null;
      if (this.cursor === null) return;
      const [y, x] = this.cursor, place = { left: this.left + x * this.width, top: this.top + y * this.height, width: this.width, height: this.height };
      for (const [side, length] of Object.entries(place)) this.frame.style[side] = `${length}px`;
    }

    drawLegend(high, signed, beyond) {
      const place = (name) => this.figure.querySelector(`[data-legend="${name}"]`);
      place("low").textContent = "0";
      place("high").textContent = (beyond ? "≥ " : "") + (this.controls.show.value === "errors" ? high.toPrecision(3) : (high / 1000).toPrecision(2));
      place("unit").textContent = this.controls.show.value === "errors" ? "squared error of directions, ×10⁻³" : `attribute value, rows of length 1${signed ? ", without its sign" : ""}`;
      const stops = [0, 0.2, 0.4, 0.6, 0.8, 1].map((share) => `rgb(${color(share)})`);
      this.figure.querySelector(".ramp").style.background = `linear-gradient(to right, ${stops})`;
    }

    point(event) {
      const box = this.canvas.getBoundingClientRect();
      const x = Math.floor((event.clientX - box.left - this.left) / this.width), y = Math.floor((event.clientY - box.top - this.top) / this.height);
      if (x >= 0 && y >= 0 && x < this.columns.length && y < this.rows.length) this.move(y, x);
    }

    key(event) {
      const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
      const step = steps[event.key];
      if (!step) return;
      event.preventDefault();
      const [y, x] = this.cursor ?? [-step[0], -step[1]].map((part) => Math.min(0, part));
      const clamp = (value, length) => Math.min(length - 1, Math.max(0, value));
      this.move(clamp(y + step[0], this.rows.length), clamp(x + step[1], this.columns.length));
      this.frame.scrollIntoView({ block: "nearest", inline: "nearest" });
    }

    move(y, x) {
      if (this.cursor && this.cursor[0] === y && this.cursor[1] === x) return;
      this.cursor = [y, x];
      const row = this.rows[y], index = this.columns[x], run = this.run;
      const value = run.values[row][index] / 1000, error = run.errors[row][index];
      const accuracy = run.accuracy[row] === null ? "" : `, accuracy ${run.accuracy[row]} %`;
      this.readout.textContent =
        `${run.classes[row]} (${run.seen[row] ? "seen" : "unseen"}${accuracy}) · ${run.attributes[index]}: ` +
        `value ${value.toFixed(3)}, error ${error === null ? "–" : error} ×10⁻³`;
      this.mark();
    }
  }

  const matrices = [...document.querySelectorAll("figure.matrix")].map((figure) => new Matrix(figure));
  const sections = [...document.querySelectorAll("section[data-run]")];
  const drawVisible = () => matrices.forEach((matrix) => { if (matrix.canvas.offsetParent) matrix.draw(); });
  const choice = document.getElementById("run-switch");
  const show = () => {
    sections.forEach((section) => { section.hidden = choice !== null && section.dataset.run !== choice.value; });
    drawVisible();
  };
  if (choice) choice.addEventListener("change", show);
  const button = document.getElementById("theme-switch");
  const named = () => { button.textContent = isDark() ? "Light" : "Dark"; button.setAttribute("aria-label", `${button.textContent} theme`); };
  button.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; named(); drawVisible(); });
  prefersDark.addEventListener("change", () => { named(); drawVisible(); });
  addEventListener("resize", drawVisible);
  // Paper is light, and a canvas keeps the colours that it was drawn in.
  let theme = "";
  const dress = (name) => { if (name) root.dataset.theme = name; else delete root.dataset.theme; drawVisible(); };
  let opened = [];
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme ?? "";
    dress("light");
    opened = [...document.querySelectorAll("details[data-print]:not([open])")];
    opened.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => { dress(theme); opened.forEach((one) => { one.open = false; }); });
  named();
  show();
})();
