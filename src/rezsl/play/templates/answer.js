// What the model makes of the photo: the classes with their probabilities, and the attributes that decided.

import { breakable, element, find, isShown, percent, plural, quoted, signed } from "./elements.js";

const SIDES = {
  found: ["Found in the photo", "as the class has them"],
  rightly_absent: ["Rightly absent", "as the class lacks them"],
  against: ["Against the class", "they speak for other classes"],
};

const mark = (item) => (item.seen ? "" : "○");

export function showAnswer(answer, before, table, gamma, choose) {
  const [best] = answer.classes;
  const headline = answer.far
    ? [element("strong", { class: "best" }, "None of these classes"),
      element("p", {}, "The photo is far from every description, as photos of other things are. The nearest is ", ...quoted(best.name), ".")]
    : [element("strong", { class: "best" }, ...breakable(best.name, mark(best))), element("span", { class: "share" }, percent(best.probability))];
  find("verdict").replaceChildren(element("div", { class: answer.far ? "verdict far" : "verdict" }, ...headline), ...changeOf(answer, before));
  const was = new Map((before?.classes ?? []).map((item) => [item.name, percent(item.probability)]));
  const shown = answer.classes.map((item) => {
    const share = percent(item.probability), earlier = was.get(item.name);
    const isAdded = table.row(item.name)?.base === -1;
    const note = isAdded ? "added" : before && earlier && earlier !== share ? `was ${earlier}` : "";
    const bar = element("span", { class: "bar-of" });
    bar.style.setProperty("--share", `${100 * item.probability}%`);
    return element("li", {}, element("button", { type: "button", class: "ranked", title: `Edit ${item.name}`, click: () => choose(item.name) },
      element("span", { class: "name" }, ...breakable(item.name, mark(item))), element("span", { class: "was" }, note), element("span", { class: "number" }, share), bar));
  });
  find("ranking").classList.toggle("far", answer.far);
  find("ranking").replaceChildren(...shown);
  const isLast = answer.classes.length >= Math.min(answer.count, 50);
  find("more").hidden = isLast;
  const strangeness = answer.strangeness === null ? "" : ` Strangeness ${signed(answer.strangeness)}: above 0, no class is named.`;
  find("legend").hidden = false;
  const lowered = gamma && table.rows.some((row) => row.seen) && table.rows.some((row) => !row.seen)
    ? ` ○: without training photos. γ = ${signed(gamma).replace("+", "")} is subtracted from the scores of the others.` : "";
  find("legend").textContent = `Probabilities are over ${plural(answer.count, "class", "classes")}.${lowered}${strangeness}`;
}

function changeOf(answer, before) {
  if (!before) return [];
  const [now, then] = [answer, before].map((one) => (one.far ? "" : one.classes[0].name));
  if (now === then) return [];
  const earlier = before.far ? ["none of the classes."] : [...quoted(then), ` (${percent(before.classes[0].probability)}).`];
  return [element("p", { class: "note changed" }, "Before your changes: ", ...earlier)];
}

export function showReasons(answer, hasReasons, chosen, choose) {
  find("why").hidden = false;
  const reasons = answer.reasons;
  const note = find("why-note"), box = find("reasons");
  if (!reasons) {
    note.textContent = hasReasons ? "There must be two classes to choose among." : "The scores of this model are no sums over attributes, so that no attribute has a share in them.";
    box.replaceChildren();
    return;
  }
  note.replaceChildren("The score of ", ...quoted(reasons.winner), " is a sum over attributes; these have the largest parts of it. ", element("span", { class: "how" }, "Choose one to see where in the photo it is read."));
  const parts = Object.fromEntries(Object.keys(SIDES).map((side) => [side, reasons[side].filter((one) => isShown(one.share))]));
  const most = Math.max(...Object.values(parts).flatMap((side) => side.map((one) => Math.abs(one.share))), 1e-9);
  box.replaceChildren(...Object.entries(SIDES).filter(([side]) => parts[side].length).map(([side, [title, meaning]]) => element("div", { class: `side ${side}` },
    element("h3", {}, title), element("p", { class: "note" }, meaning),
    element("ul", {}, ...parts[side].map((one) => {
      const bar = element("span", { class: "bar-of" });
      bar.style.setProperty("--share", `${(100 * Math.abs(one.share)) / most}%`);
      return element("li", {}, element("button", {
        type: "button", class: "ranked reason", "aria-pressed": String(one.attribute === chosen), click: () => choose(one.attribute),
      }, element("span", { class: "name" }, ...breakable(one.attribute)), element("span", { class: "number" }, signed(one.share)), bar));
    })))));
}
