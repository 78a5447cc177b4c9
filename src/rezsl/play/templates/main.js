// The page as a whole: photos, questions to the engine, undo, and the file of the table.

import { showAnswer, showReasons } from "./answer.js";
import { Editor } from "./editor.js";
import { breakable, element, find, percent, quoted, say } from "./elements.js";
import { createEngine } from "./engine_server.js";
import { receivePhotos, showMap, showPicture, showThumbs } from "./picture.js";
import { Table } from "./table.js";

const FEW = 8, MANY = 50, MOST_PHOTOS = 12;

const model = JSON.parse(find("model").textContent);
const table = new Table(model);
const editor = new Editor(table, model.words);
const engine = createEngine(model, table);
const state = { photos: [], photo: null, answer: null, attribute: "", isAsking: false, isStale: false, top: FEW };
engine.catch((error) => say(error.message));

async function ask() {
  state.isStale = true;
  if (state.isAsking) return;
  state.isAsking = true;
  try {
    while (state.isStale && state.photo) {
      state.isStale = false;
      const { photo } = state, changes = table.changes(), isChanged = table.rows !== table.base;
      if (isChanged) photo.before ??= await (await engine).answer(photo.photo, { removed: [], rows: {} }, MANY);
      const answer = await (await engine).answer(photo.photo, changes, state.top);
      if (photo === state.photo) show(answer, isChanged ? photo.before : null);
    }
    find("message").hidden ||= find("message").classList.contains("problem");
  } catch (error) {
    say(error.message);
  } finally {
    state.isAsking = false;
  }
}

function show(answer, before) {
  state.answer = answer;
  showAnswer(answer, before, table, model.gamma, (name) => editor.choose(name));
  reasons();
  editor.inform(answer);
  const [best] = answer.classes;
  find("bar").replaceChildren(element("img", { src: state.photo.picture, alt: "" }), element("span", {}, ...(answer.far ? ["None of these classes"] : breakable(best.name))), element("strong", {}, answer.far ? "" : percent(best.probability)));
}

function reasons() {
  showReasons(state.answer, model.has_reasons, state.attribute, (attribute) => { state.attribute = attribute === state.attribute ? "" : attribute; reasons(); map(); });
  for (const button of document.querySelectorAll(".reason")) button.disabled = !model.map_kinds.length;
  if (!model.map_kinds.length) find("why-note").querySelector(".how")?.replaceChildren("Maps are made by rezsl play, not in this file.");
}

// The map of the chosen attribute; those of the attributes that were found are made with it.
async function map() {
  const { photo, attribute } = state, kind = find("map-kind").value;
  const note = find("map-note");
  if (!attribute) {
    note.hidden = true;
    showMap(null, "");
    showPicture(photo, model.size);
    return;
  }
  try {
    const maps = (photo.maps[kind] ??= {});
    if (!maps[attribute]) {
      const found = state.answer.reasons.found.map((one) => one.attribute).filter((name) => !maps[name] && name !== attribute);
      const made = await (await engine).maps(photo.photo, [attribute, ...found.slice(0, 7)], kind);
      Object.assign(maps, made.cells);
      photo.likeness[kind] ??= made.likeness;
    }
    if (photo !== state.photo || attribute !== state.attribute) return;
    showMap(maps[attribute], attribute);
    note.hidden = false;
    const [verb, rest] = kind === "gradient" ? ["raise ", " more than the average cell does."] : ["have the attention of ", "."];
    const alike = photo.likeness[kind] > 0.9 ? " The maps of the attributes that were found are nearly equal, so that one stands for all." : "";
    note.replaceChildren(`Over the photo: bright cells ${verb}`, ...quoted(attribute), rest, alike);
  } catch (error) {
    say(error.message);
  }
}

function choose(photo) {
  Object.assign(state, { photo, attribute: "", top: FEW });
  showPicture(photo, model.size);
  showMap(null, "");
  find("map-note").hidden = true;
  showThumbs(state.photos, photo, choose);
  ask();
}

async function receive(files) {
  find("drop").setAttribute("aria-busy", "true");
  for (const file of files.slice(0, MOST_PHOTOS)) {
    try {
      const added = await (await engine).add(file);
      state.photos = [{ ...added, name: file.name || "pasted photo", maps: {}, likeness: {} }, ...state.photos].slice(0, MOST_PHOTOS);
      find("message").hidden = true;
      choose(state.photos[0]);
    } catch (error) {
      say(error.message.replace(/^photo: /, `${file.name}: `));
    }
  }
  find("drop").removeAttribute("aria-busy");
}

function save() {
  const link = element("a", { href: URL.createObjectURL(new Blob([table.csv()], { type: "text/csv" })), download: "classes.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  table.isSaved = true;
  say("classes.csv is saved. rezsl predict RUN photo.jpg --classes classes.csv uses it.", false);
}

function buttons() {
  find("undo").disabled = !table.past.length;
  find("redo").disabled = !table.future.length;
}

const isText = (target) => target.matches("textarea, input:not([type=checkbox]):not([type=range])");
const root = document.documentElement, prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
const theme = find("theme-switch");
function nameTheme() {
  theme.textContent = isDark() ? "Light" : "Dark";
  theme.setAttribute("aria-label", `${theme.textContent} theme`);
}

table.listen(buttons);
table.listen(ask);
receivePhotos(receive);
find("undo").addEventListener("click", () => table.undo());
find("redo").addEventListener("click", () => table.redo());
find("save").addEventListener("click", save);
find("more").addEventListener("click", () => { state.top = MANY; ask(); });
find("bar").addEventListener("click", () => find("answer").scrollIntoView());
find("map-kind").replaceChildren(...model.map_kinds.map((kind) => element("option", { value: kind }, kind)));
find("map-kind-label").hidden = model.map_kinds.length < 2;
find("map-kind").addEventListener("change", map);
theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; nameTheme(); });
prefersDark.addEventListener("change", nameTheme);
addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || isText(event.target)) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  if (key === "y" || event.shiftKey) table.redo();
  else table.undo();
});
addEventListener("beforeunload", (event) => { if (!table.isSaved) event.preventDefault(); });
// While the answer is out of sight, as on a phone, a bar repeats it.
new IntersectionObserver(([entry]) => { find("bar").hidden = entry.isIntersecting || !state.answer; }).observe(find("answer"));
nameTheme();
