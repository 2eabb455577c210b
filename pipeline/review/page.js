// What is shown, the keys, and the news of a run that goes on.
let data = JSON.parse($("production").textContent);
const view = { shot: null, version: 0, beside: 0, form: "film", shown: "" };
const live = {
  hand: id => (data.hand || []).find(h => h.shot === id) || null,
  preview: id => (data.previews || []).find(p => p.shot === id) || null,
};
const shot = () => data.shots.find(s => s.id === view.shot);
const version_of = (s, number) => s && s.versions.find(v => v.number === number);
const version = () => version_of(shot(), view.version);
const tc = (s, frame) => timecode(data.start - data.handles + frame, data.fps, data.drop);

const newest = s => (shots.newest(s) || { number: 0 }).number;

function choose(id, frame) {
  const s = data.shots.find(x => x.id === id);
  if (!s) return;
  if (view.shot !== id) {
    view.shot = id;
    view.version = newest(s);
    view.beside = 0;
    try { history.replaceState(null, "", "#" + encodeURIComponent(id)); } catch (refused) { /* from disk */ }
    say(`${id}, ${shots.told(shots.state_of(s), s, live.hand(id))}`);
  }
  draw();
  if (frame !== undefined) player.seek(frame);
  const card = $("list").querySelector("[aria-current]");
  if (card) card.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function move(by) {
  const all = shots.visible(data), at = all.findIndex(s => s.id === view.shot);
  const to = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))];
  if (to && to.id !== view.shot) { choose(to.id); return true; }
  return false;
}

function options(select, list, value) {
  if (is_new(select, list)) select.replaceChildren(...list.map(([v, text]) => make("option", { value: v }, text)));
  select.value = value;
}

const FORMS = { film: "Film", textless: "Textless", proxy: "Proxy" };
function draw_screens(s, v) {
  const forms = Object.keys(FORMS).filter(f => v && v[f]);
  if (!forms.includes(view.form)) view.form = forms[0] || "film";
  const named = s.versions.map(x => [x.number, `v${String(x.number).padStart(3, "0")}${store.verdict(s, x) ? ", " + store.verdict(s, x) : x.current && s.versions.length > 1 ? ", current" : ""}`]);
  options($("version"), named, view.version);
  options($("beside"), [[0, "none"], ...named.filter(([n]) => n !== view.version)], view.beside);
  options($("form"), forms.map(f => [f, FORMS[f]]), view.form);
  $("versions").hidden = s.versions.length < 2 && forms.length < 2;
  $("form-label").hidden = forms.length < 2;
  const other = version_of(s, view.beside), beside = !!other;
  $("viewer").classList.toggle("beside", beside);
  $("screen-2").hidden = !beside;
  $("film-caption").textContent = beside ? "v" + String(view.version).padStart(3, "0") : "";
  $("film-2-caption").textContent = beside ? "v" + String(other.number).padStart(3, "0") : "";
  const shown = JSON.stringify([s.id, view.version, view.form, v && v.stamp, s.frames]);
  if (view.shown !== shown) {
    const same = view.shown && JSON.parse(view.shown)[0] === s.id ? player.frame : 0;
    view.shown = shown;
    view.second = "";
    player.open(v && v[view.form], v && v.poster, (v && v.delivered && v.delivered.frames) || s.frames, data.fps[0] / data.fps[1], same);
    $("position").max = player.frames - 1;
  }
  const second = beside ? JSON.stringify([other.number, other.stamp]) : "";
  if (view.second !== second) {
    view.second = second;
    player.stop();
    player.openSecond(beside ? other[view.form] || other.film : "", beside ? other.poster : "");
  }
  draw_notice(s, v);
}

function draw_notice(s, v) {
  const notice = $("notice"), preview = live.preview(s.id), hand = live.hand(s.id);
  const playable = v && v[view.form] && !player.film.error, seen = playable || (v && v.poster);
  const showing = !!preview && s.state === "running";
  $("latents").hidden = !showing;
  player.film.hidden = showing;
  if (showing) latents_canvas(preview, $("latents"));
  notice.hidden = !showing && !!playable && s.state === "delivered";
  notice.classList.toggle("over", showing || !!seen);
  const lines = [];
  if (showing) lines.push(`preview of the latents at step ${preview.step} of ${preview.steps}`);
  else if (v && v[view.form] && player.film.error) lines.push(make("strong", {}, "This browser does not play the film"), `It is at ${decodeURIComponent(v[view.form])}`);
  else if (s.state === "failed") lines.push(make("strong", {}, `Failed in ${s.stage}`), playable ? "" : s.error);
  else if (s.state === "running") lines.push(make("strong", {}, `In hand: ${s.stage}`), hand && hand.total > 0 ? `${hand.unit} ${Math.floor(hand.done)} of ${Math.floor(hand.total)}` : "");
  else if (s.state === "interrupted") lines.push(make("strong", {}, `Interrupted in ${s.stage}`), playable ? "" : "auteur-pipe resume goes on with it");
  else if (playable) lines.push("The board says otherwise since: to be remade");
  else lines.push(make("strong", {}, "Waiting to be made"));
  notice.replaceChildren(...lines.filter(Boolean).map(l => typeof l === "string" ? make("span", {}, l) : l));
}

function draw_position() {
  const s = shot();
  if (!s) return;
  const frame = player.frame, there = player.film.hasAttribute("src") && !player.film.error;
  const code = tc(s, frame);
  $("timecode").textContent = code;
  $("note-at").textContent = notes.editing ? notes.editing.timecode : code;
  $("frame").textContent = `frame ${frame} of ${player.frames} · film ${timecode(data.start + s.at + frame - s.in, data.fps, data.drop)}`;
  $("position").value = frame;
  $("position").disabled = !there;
  $("position").setAttribute("aria-valuetext", code);
  const playing = player.speed !== 0;
  $("play").textContent = playing ? "❚❚" : "▶";
  $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  $("speed").textContent = playing && player.speed !== 1 ? player.speed + "×" : "";
  notes.light(view.version, frame);
}

function draw_verdict(s, v) {
  const verdict = v ? store.verdict(s, v) : "";
  for (const [id, name] of [["approve", "approved"], ["reject", "rejected"]]) {
    $(id).disabled = !v;
    $(id).setAttribute("aria-pressed", String(verdict === name));
  }
  $("approve").textContent = verdict === "approved" ? "Approved" : "Approve";
  $("reject").textContent = verdict === "rejected" ? "Rejected" : "Reject";
}

function draw_head() {
  const frames = data.shots.reduce((n, s) => Math.max(n, s.at + s.cut), 0), counts = {};
  for (const s of data.shots) counts[s.state] = (counts[s.state] || 0) + 1;
  const made = counts.delivered || 0;
  $("summary").textContent = [`${made} of ${plural(data.shots.length, "shot")} delivered`, duration(frames * data.fps[1] / data.fps[0]),
    `${fps_text(data.fps)} fps${data.drop ? " drop-frame" : ""}`, data.size.join(" × ")].join(" · ");
  $("run").hidden = !data.live;
  if (!data.live) return;
  const busy = (data.hand || []).map(h => `${h.shot} ${h.stage}`).slice(0, 3).join(", ");
  $("run-text").textContent = `A run goes on${busy ? ": " + busy : ""}${data.left >= 0 ? `, about ${duration(data.left)} left` : ""}`;
  if (data.left >= 0) $("run-bar").value = data.elapsed / (data.elapsed + data.left || 1);
  else $("run-bar").removeAttribute("value");
}

function draw() {
  const s = shot();
  draw_head();
  shots.draw(data, view.shot, live);
  if (!s) return;
  if (!version() && s.versions.length) view.version = newest(s);
  const v = version();
  draw_screens(s, v);
  draw_verdict(s, v);
  draw_details(data, s, v);
  notes.draw(data, s, view.version, player.frame);
  draw_position();
}

function judge(verdict) {
  const s = shot(), v = version();
  if (!v) return;
  const now = store.verdict(s, v) === verdict ? "" : verdict;
  store.judge(s, v, now);
  draw();
  say(`${s.id} ${now || "has no verdict"}`);
}

function write_note() {
  player.stop();
  draw_position();
  $("note").focus();
}

function save_note() {
  const s = shot(), frame = player.frame;
  if (notes.save({ shot: s.id, version: view.version || 1, frame, timecode: tc(s, frame) })) $("viewer").focus();
}

const KEYS = {
  j: () => player.backwards(), k: () => player.stop(), l: () => player.faster(), " ": () => player.toggle(),
  ArrowLeft: e => player.step(e.shiftKey ? -10 : -1), ArrowRight: e => player.step(e.shiftKey ? 10 : 1),
  ArrowUp: () => move(-1), ArrowDown: () => move(1),
  Home: () => player.step(-player.frame), End: () => player.step(player.frames),
  n: write_note, a: () => judge("approved"), r: () => judge("rejected"),
  "/": () => $("find").focus(), "?": () => $("keys").showModal(),
};
document.addEventListener("keydown", event => {
  const at = event.target, typing = at.matches("textarea, select, input:not([type=range])");
  if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
  if (event.key === "Escape" && typing) { notes.cancel(); $("viewer").focus(); draw_position(); return; }
  if (typing || (event.key === " " && at.matches("button"))) return;
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act(event);
});
// A button that was clicked lets go of the keys: space plays again.
document.addEventListener("click", event => {
  const button = event.target.closest("button");
  if (button && event.detail > 0 && document.activeElement === button) button.blur();
});

const on = (id, type, act) => $(id).addEventListener(type, act);
const press = (id, act) => on(id, "click", () => { const is = $(id).getAttribute("aria-pressed") !== "true"; $(id).setAttribute("aria-pressed", String(is)); act(is); });
on("play", "click", () => player.toggle());
on("back", "click", () => player.backwards());
on("forward", "click", () => player.faster());
on("step-back", "click", () => player.step(-1));
on("step", "click", () => player.step(1));
on("before", "click", () => move(-1));
on("after", "click", () => move(1));
on("approve", "click", () => judge("approved"));
on("reject", "click", () => judge("rejected"));
on("export", "click", () => notes.take_out(data));
on("keys-open", "click", () => $("keys").showModal());
on("position", "input", () => { if (player.speed) player.stop(); player.seek(+$("position").value); });
on("version", "change", () => { view.version = +$("version").value; if (view.beside === view.version) view.beside = 0; draw(); });
on("beside", "change", () => { view.beside = +$("beside").value; draw(); });
on("form", "change", () => { view.form = $("form").value; view.second = ""; draw(); });
on("find", "input", () => { shots.find = $("find").value.trim(); draw(); });
on("clear", "click", () => { shots.find = shots.state = $("find").value = ""; draw(); });
on("note-form", "submit", event => { event.preventDefault(); save_note(); });
on("note", "keydown", event => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); save_note(); } });
on("author", "change", () => { store.local.author = $("author").value.trim(); store.save(); });
press("loop", is => { player.film.loop = player.second.loop = is; });
press("mute", is => { player.film.muted = is; });
press("onward", () => {});
// Where a browser does not play the film (ProRes), its proxy may do.
player.film.addEventListener("error", () => {
  const v = version();
  if (v && v.proxy && view.form === "film") { view.form = "proxy"; draw(); }
  else if (shot()) { draw_notice(shot(), v); draw_position(); }
});
player.film.addEventListener("loadeddata", () => { if (shot()) draw_notice(shot(), version()); });
player.changed = draw_position;
player.ended = () => { if ($("onward").getAttribute("aria-pressed") === "true" && move(1)) player.shuttle(1); };
shots.choose = id => choose(id);
shots.changed = draw;
notes.changed = draw;
notes.seek = n => { view.version = version_of(shot(), n.version) ? n.version : view.version; draw(); player.stop(); player.seek(n.frame); };
addEventListener("beforeunload", event => { if (store.unsaved) event.preventDefault(); });
addEventListener("hashchange", () => choose(decodeURIComponent(location.hash.slice(1))));

// `watch` answers at state.json beside the page, with a tag by which it says that nothing is new.
let tag = "";
async function listen() {
  let wait = 2000;
  try {
    const answer = await fetch("state.json", { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
    if (answer.status === 200) {
      tag = answer.headers.get("ETag") || "";
      const was = data;
      data = await answer.json();
      store.forget(data);
      tell_changes(was);
      draw();
    }
    wait = data.live ? 1000 : 3000;
    document.body.classList.remove("lost");
  } catch (gone) {
    if (data.live || !document.body.classList.contains("lost")) { data.live = false; document.body.classList.add("lost"); draw_head(); }
  }
  setTimeout(listen, wait);
}

function tell_changes(was) {
  const told = data.shots.filter(s => { const old = was.shots.find(o => o.id === s.id); return old && old.state !== s.state; });
  if (told.length) say(told.map(s => `${s.id} ${s.state}`).join(", "));
}

store.open(data);
$("author").value = store.local.author;
document.documentElement.style.setProperty("--aspect", `${data.size[0]} / ${data.size[1]}`);
choose(data.shots.some(s => "#" + encodeURIComponent(s.id) === location.hash) ? decodeURIComponent(location.hash.slice(1)) : (data.shots[0] || {}).id);
if (data.served) listen();
globalThis.review = { timecode, player, view, store, get data() { return data; } };
