// What the model makes of the photo: the classes with their probabilities, and the attributes that decided.

import { breakable, element, find, percent, plural, signed } from "./elements.js";

const SIDES = {
  found: ["Found in the photo", "as the class has them"],
  rightly_absent: ["Rightly absent", "as the class lacks them"],
  against: ["Against the class", "they speak for other classes"],
};

const mark = (item) => (item.seen ? "" : "○");

export function showAnswer(answer, before, table, choose) {
  const [best] = answer.classes;
  const headline = answer.far
    ? [element("strong", { class: "best" }, "None of these classes"),
      element("p", {}, `The photo is far from every description, as photos of other things are. The nearest is ${best.name}.`)]
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
  find("legend").textContent = `Probabilities are over ${plural(answer.count, "class", "classes")}.${strangeness}`;
}

function changeOf(answer, before) {
  if (!before) return [];
  const [now, then] = [answer, before].map((one) => (one.far ? "none of the classes" : one.classes[0].name));
  return now === then ? [] : [element("p", { class: "note changed" }, `Before your changes: ${then}${before.far ? "" : ` (${percent(before.classes[0].probability)})`}.`)];
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
  note.textContent = `The score of ${reasons.winner} is a sum over attributes; these have the largest parts of it. Choose one to see where in the photo it is read.`;
  const most = Math.max(...Object.keys(SIDES).flatMap((side) => reasons[side].map((one) => Math.abs(one.share))), 1e-9);
  box.replaceChildren(...Object.entries(SIDES).filter(([side]) => reasons[side].length).map(([side, [title, meaning]]) => element("div", { class: `side ${side}` },
    element("h3", {}, title), element("p", { class: "note" }, meaning),
    element("ul", {}, ...reasons[side].map((one) => {
      const bar = element("span", { class: "bar-of" });
      bar.style.setProperty("--share", `${(100 * Math.abs(one.share)) / most}%`);
      return element("li", {}, element("button", {
        type: "button", class: "ranked reason", "aria-pressed": String(one.attribute === chosen), click: () => choose(one.attribute),
      }, element("span", { class: "name" }, ...breakable(one.attribute)), element("span", { class: "number" }, signed(one.share)), bar));
    })))));
}
