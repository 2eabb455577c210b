const $ = id => document.getElementById(id);

// make("p", {className: "x"}, "text", child ...): only text and elements, never markup.
function make(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(props || {})) {
    if (name.includes("-") || name === "role") e.setAttribute(name, value);
    else e[name] = value;
  }
  e.append(...children.filter(c => c !== null && c !== undefined && c !== ""));
  return e;
}

let saying;
function say(text) { // to a screen reader
  clearTimeout(saying);
  $("say").textContent = "";
  saying = setTimeout(() => { $("say").textContent = text; }, 60);
}

// Whether an element is to be drawn anew: news of a run come every second, and what is drawn without
// need loses the focus and the selection of who reads it.
function is_new(element, ...what) {
  const key = JSON.stringify(what);
  if (element.drawn === key) return false;
  element.drawn = key;
  return true;
}

const plural = (n, one, many) => `${n} ${n === 1 ? one : many || one + "s"}`;

function duration(seconds) {
  if (!(seconds >= 0)) return "";
  if (seconds < 10) return seconds.toFixed(1) + " s";
  if (seconds < 90) return Math.round(seconds) + " s";
  const s = Math.round(seconds), h = Math.floor(s / 3600), m = Math.floor(s / 60) % 60;
  const two = x => String(x).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}
