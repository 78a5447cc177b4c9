// Elements of the page, and the wording of numbers.

export const find = (id) => document.getElementById(id);

// Attributes are set as such; functions become listeners of events.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const LONGEST_END = 24;

// Names of classes and attributes break at their marks, because they have no blanks; a sign stays with the last part.
export function breakable(name, sign = "") {
  const parts = name.split(/(?<=[_/:,.-])/), end = parts.pop();
  const last = sign && end.length <= LONGEST_END ? element("span", { class: "together" }, `${end}\u00a0${sign}`) : `${end}${sign && `\u00a0${sign}`}`;
  return [...parts.flatMap((part) => [part, document.createElement("wbr")]), last];
}

// A name inside a sentence.
export const quoted = (name) => ["“", ...breakable(name), "”"];

// No line breaks before the sign.
export function percent(share) {
  const rounded = Math.round(100 * share);
  if (rounded === 0 && share > 0) return "<\u00a01\u00a0%";
  return rounded === 100 && share < 1 ? ">\u00a099\u00a0%" : `${rounded}\u00a0%`;
}

export const signed = (number) => `${number < 0 ? "−" : "+"}${Math.abs(number).toFixed(2)}`;

// Whether a number is more than a zero when it is shown.
export const isShown = (number) => Number(number.toFixed(2)) !== 0;

export const plural = (count, one, several) => `${count.toLocaleString("en")} ${count === 1 ? one : several}`;

let timer = 0;
export function say(text, isProblem = true) {
  const box = find("message");
  clearTimeout(timer);
  box.textContent = text;
  box.classList.toggle("problem", isProblem);
  box.hidden = !text;
  if (text) timer = setTimeout(() => { box.hidden = true; }, isProblem ? 12000 : 5000);
}
