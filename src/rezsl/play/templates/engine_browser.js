// Photos are recognised in this browser, by the network and the runtime that stand in this file.

// Each part is compressed and in base64.
async function unpacked(id) {
  const holder = document.getElementById(id), bytes = Uint8Array.from(atob(holder.textContent), (sign) => sign.charCodeAt(0));
  holder.remove();
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

async function session() {
  const code = new Blob([await unpacked("runtime")], { type: "text/javascript" });
  const runtime = await import(URL.createObjectURL(code));
  runtime.env.wasm.numThreads = 1;
  runtime.env.wasm.wasmBinary = await unpacked("wasm");
  return [runtime, await runtime.InferenceSession.create(await unpacked("network"))];
}

function drawn(photo, box, width, height) {
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(canvas, { width, height });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(photo, ...box, 0, 0, width, height);
  return [canvas, context];
}

// The photo, whose exact crop and scale are the network's own work, and the square that it receives, to be shown.
// A large photo is first brought near to that size, as rezsl does when it decodes one.
async function read(file, { size, resize, framing }) {
  let photo;
  try {
    photo = await createImageBitmap(file);
  } catch {
    throw new Error("photo: expected an image that this browser shows, such as JPEG or PNG. Convert it.");
  }
  const { width, height } = photo, factor = Math.min(1, (2 * resize) / Math.min(width, height)), side = (Math.min(width, height) * size) / resize;
  const box = framing === "whole" ? [0, 0, width, height] : [(width - side) / 2, (height - side) / 2, side, side];
  const [whole, context] = drawn(photo, [0, 0, width, height], Math.round(factor * width), Math.round(factor * height));
  const pixels = context.getImageData(0, 0, whole.width, whole.height).data.filter((_, place) => place % 4 < 3);
  return { picture: drawn(photo, box, size, size)[0].toDataURL(), pixels: new Uint8Array(pixels), shape: [1, whole.height, whole.width, 3] };
}

const unit = (values) => {
  const length = Math.hypot(...values) || 1;
  return values.map((value) => value / length);
};

// Attributes as the scores compare them: around the mean of the seen classes, without attributes that do not vary.
const compared = (values, { origin, counted }) => unit(values.map((value, column) => (counted[column] ? value - origin[column] : 0)));

const known = new WeakMap();
function directionOf(row, { compare, isCentered = compare.origin.some((value) => value !== 0) }) {
  if (!known.has(row.values)) known.set(row.values, compared(isCentered ? unit([...row.values]) : [...row.values], compare));
  return known.get(row.values);
}

// Cosines need no run of the network for another table: they follow from the attributes that it predicted.
function scored(first, rows, model) {
  const { scale, gamma, temperature, score_weight: weight } = model.compare, found = compared(first.predicted, model.compare);
  const raw = rows.map((row) => { const has = directionOf(row, model); return scale * found.reduce((sum, value, column) => sum + value * has[column], 0); });
  const scores = raw.map((score, place) => score - (rows[place].seen ? gamma : 0)), best = Math.max(...scores);
  const parts = scores.map((score) => Math.exp((score - best) / temperature)), whole = parts.reduce((sum, part) => sum + part, 0);
  const gain = Math.max(0, ...raw.map((score) => score - first.highest));
  return { scores, shares: parts.map((part) => part / whole), predicted: first.predicted, strangeness: first.strangeness - weight * gain };
}

function reasonsFor(predicted, row, model) {
  const { scale, gamma, most, weak } = model.compare, found = compared(predicted, model.compare), has = directionOf(row, model);
  const all = found.map((value, column) => ({ attribute: model.attributes[column], share: scale * value * has[column], predicted: value, class: has[column], weak: value > 0 && value < weak * has[column] }));
  const sorted = all.toSorted((one, other) => other.share - one.share);
  return {
    winner: row.name,
    of_gamma: row.seen ? -gamma : 0,
    found: sorted.filter((one) => one.share > 0 && one.predicted > 0).slice(0, most),
    rightly_absent: sorted.filter((one) => one.share > 0 && one.predicted <= 0).slice(0, most),
    against: sorted.filter((one) => one.share < 0).reverse().slice(0, most),
  };
}

export async function createEngine(model, table) {
  const [runtime, network] = await session(), photos = new Map();
  const { grid } = model.compare;

  async function run(key, rows) {
    const { pixels, shape } = photos.get(key), width = model.attributes.length, values = new Float32Array(rows.length * width);
    rows.forEach((row, place) => values.set(row.values, place * width));
    return network.run({
      images: new runtime.Tensor("uint8", pixels, shape),
      classes: new runtime.Tensor("float32", values, [rows.length, width]),
      seen: new runtime.Tensor("bool", Uint8Array.from(rows, (row) => Number(row.seen)), [rows.length]),
    });
  }

  async function answered(key, rows) {
    const photo = photos.get(key);
    if (photo.first && model.has_reasons) return scored(photo.first, rows, model);
    const found = await run(key, model.has_reasons ? table.base : rows), scores = [...found.scores.data];
    const all = { scores, shares: [...found.probabilities.data], predicted: [...found.attributes.data], strangeness: found.strangeness.data[0] };
    if (!model.has_reasons) return all;
    photo.first = { ...all, highest: Math.max(...table.base.map((row, place) => scores[place] + (row.seen ? model.compare.gamma : 0))) };
    return rows === table.base ? all : scored(photo.first, rows, model);
  }

  return {
    async add(file) {
      const photo = await read(file, model.compare), key = String(photos.size);
      photos.set(key, photo);
      return { photo: key, picture: photo.picture };
    },

    async answer(key, changes, top) {
      const isChanged = changes.removed.length > 0 || Object.keys(changes.rows).length > 0, rows = isChanged ? table.rows : table.base;
      if (!rows.length) throw new Error("There is no class. Undo the last step, or add a class.");
      const empty = rows.find((row) => row.values.every((value) => value === 0));
      if (empty) throw new Error(`Expected an attribute other than 0 in every row, got only 0 for ${empty.name}. Add an attribute.`);
      const { scores, shares, predicted, strangeness } = await answered(key, rows);
      const order = [...rows.keys()].sort((one, other) => scores[other] - scores[one]).slice(0, top);
      return {
        classes: order.map((place) => ({ name: rows[place].name, score: scores[place], probability: shares[place], seen: rows[place].seen })),
        count: rows.length,
        far: strangeness > 0,
        strangeness: Number.isNaN(strangeness) ? null : strangeness,
        reasons: model.has_reasons && rows.length > 1 ? reasonsFor(predicted, rows[order[0]], model) : null,
        predicted,
      };
    },

    async maps(key, attributes) {
      const attention = (await run(key, table.base)).attention, [, , regions] = attention.dims;
      const cells = attributes.map((name) => {
        const start = model.attributes.indexOf(name) * regions + grid.before, { side } = grid;
        return [name, Array.from({ length: side }, (_, row) => [...attention.data.slice(start + row * side, start + (row + 1) * side)])];
      });
      return { cells: Object.fromEntries(cells), likeness: null };
    },
  };
}
