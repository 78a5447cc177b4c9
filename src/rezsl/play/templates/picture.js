// The photo: how it comes onto the page, and the map of an attribute over it.

import { breakable, element, find } from "./elements.js";

const INFERNO = [[0, 0, 4], [58, 9, 99], [150, 38, 103], [221, 81, 58], [252, 165, 10], [252, 255, 164]];

// Below this size in pixels, a picture is shown with its pixels.
const TINY = 64;

function colour(share) {
  const place = Math.min(1, Math.max(0, share)) * (INFERNO.length - 1), low = Math.min(INFERNO.length - 2, Math.floor(place));
  return INFERNO[low].map((part, channel) => part + (place - low) * (INFERNO[low + 1][channel] - part));
}

export function showPicture(photo, size) {
  const figure = find("picture"), image = figure.querySelector("img");
  figure.hidden = false;
  find("drop").classList.add("filled");
  find("choose-label").firstChild.textContent = "Another photo";
  image.src = photo.picture;
  image.alt = `${photo.name}, as the model receives it`;
  image.classList.toggle("tiny", size <= TINY);
}

// Cells are brightest at the map's own peak; those below 0 stay dark.
export function showMap(cells, name) {
  const figure = find("picture"), canvas = figure.querySelector("canvas");
  figure.classList.toggle("mapped", cells !== null);
  canvas.hidden = cells === null;
  figure.querySelector("figcaption").replaceChildren(...breakable(name));
  if (!cells) return;
  const side = cells.length, peak = Math.max(...cells.flat()) || 1;
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d"), pixels = context.createImageData(side, side);
  cells.flat().forEach((value, place) => {
    pixels.data.set([...colour(value / peak), 255], 4 * place);
  });
  context.putImageData(pixels, 0, 0);
  figure.querySelector("img").alt = `Map of ${name} over the photo`;
}

export function showThumbs(photos, current, choose) {
  const list = find("thumbs");
  list.hidden = photos.length < 2;
  list.replaceChildren(...photos.map((photo) => element("li", {}, element("button", {
    type: "button", class: "thumb", "aria-pressed": String(photo === current), "aria-label": photo.name, title: photo.name, click: () => choose(photo),
  }, element("img", { src: photo.picture, alt: "" })))));
}

// Files that are chosen, dropped anywhere on the page, or pasted outside text.
export function receivePhotos(receive) {
  const input = find("choose"), drop = find("drop");
  input.addEventListener("change", () => { receive([...input.files]); input.value = ""; });
  let inside = 0;
  const carriesFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const mark = () => drop.classList.toggle("over", inside > 0);
  addEventListener("dragenter", (event) => { if (carriesFile(event)) { inside += 1; mark(); } });
  addEventListener("dragleave", (event) => { if (carriesFile(event)) { inside -= 1; mark(); } });
  addEventListener("dragover", (event) => { if (carriesFile(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    inside = 0;
    mark();
    receive([...event.dataTransfer.files]);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) { event.preventDefault(); receive(files); }
  });
}
