// Rows that a person pastes from a spreadsheet: any order, names of attributes in the first line or the first column.

const spelling = (name) => name.normalize("NFKC").toLowerCase().replace(/[\s_-]+/g, " ").trim();

// Cells may be in quotes, with line breaks and doubled quotes inside.
function cellsOf(text, mark) {
  const lines = [[""]];
  let quoted = false;
  for (let place = 0; place < text.length; place += 1) {
    const sign = text[place], line = lines.at(-1);
    if (sign === '"' && quoted && text[place + 1] === '"') { line[line.length - 1] += '"'; place += 1; }
    else if (sign === '"' && (quoted || line.at(-1) === "")) quoted = !quoted;
    else if (!quoted && sign === mark) line.push("");
    else if (!quoted && (sign === "\n" || sign === "\r")) { if (sign === "\n" || text[place + 1] !== "\n") lines.push([""]); }
    else line[line.length - 1] += sign;
  }
  return lines.map((line) => line.map((one) => one.trim())).filter((line) => line.some((one) => one));
}

function numberOf(text, control, words, hasDecimalComma) {
  const plain = text.toLowerCase().replaceAll("−", "-");
  if (words.unknown.includes(plain)) return null;
  if (words.yes.includes(plain)) return control.isSwitch ? control.high : 1;
  if (words.no.includes(plain)) return control.isSwitch ? control.low : 0;
  const found = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(%?)$/.exec(hasDecimalComma ? plain.replace(",", ".") : plain);
  if (!found || !Number.isFinite(Number(found[1]))) throw new Error(`Expected a number, a percentage, yes, no or ? in a cell, got “${text}”. Correct the cell.`);
  return Number(found[1]) / (found[2] ? 100 : 1);
}

const transposed = (lines) => lines[0].map((_, column) => lines.map((line) => line[column] ?? ""));

// Rows as {name, values: {column: number}, left: [names of columns that are no attributes]}; an empty name where none is given.
export function readPasted(text, table, words) {
  const mark = text.includes("\t") ? "\t" : text.includes(";") ? ";" : ",";
  let lines = cellsOf(text, mark);
  if (!lines.length) throw new Error("There is nothing to take. Paste rows with the names of the attributes.");
  const columns = new Map(table.attributes.map((name, column) => [spelling(name), column]));
  const known = (names) => names.filter((name) => columns.has(spelling(name))).length;
  const across = known(lines[0]), down = known(lines.map((line) => line[0]));
  if (!across && !down) throw new Error(`Expected names of attributes in the first line or the first column, such as “${table.attributes[0]}”, got none. Copy the row together with the heading.`);
  if (down > across) {
    if (known([lines[0][0]])) lines = [["class", ...lines[0].slice(1).map(() => "")], ...lines];
    lines = transposed(lines);
  }
  const [header, ...rows] = lines;
  if (!rows.length) throw new Error("Expected a row of values below the names of the attributes, got none. Copy both.");
  const places = header.map((name) => columns.get(spelling(name)));
  const named = places.findIndex((column) => column === undefined);
  const left = header.filter((_, place) => places[place] === undefined && place !== named);
  return rows.map((row) => {
    const values = {};
    places.forEach((column, place) => {
      if (column === undefined || row[place] === undefined) return;
      const number = numberOf(row[place], table.controls[column], words, mark !== ",");
      if (number !== null) values[column] = number;
    });
    return { name: named < 0 ? "" : (row[named] ?? "").normalize("NFC"), values, left };
  });
}
