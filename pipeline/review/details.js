// All that is known of a shot's version: what was asked, what was made of it, and how it went.

// Words of the prompt before and after, with what came and what went: by the longest common run.
function compare_words(before, after) {
  const a = before.split(/\s+/).filter(Boolean), b = after.split(/\s+/).filter(Boolean);
  const bare = w => w.toLowerCase().replace(/[.,;:!?"“”]+$/, "");
  const best = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      best[i][j] = bare(a[i]) === bare(b[j]) ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
  const was = [], is = [];
  let i = 0, j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && bare(a[i]) === bare(b[j])) { was.push([a[i++], 0]); is.push([b[j++], 0]); }
    else if (i < a.length && (j >= b.length || best[i + 1][j] >= best[i][j + 1])) was.push([a[i++], 1]);
    else is.push([b[j++], 1]);
  }
  return [was, is];
}

function marked_words(words, tag) {
  const p = make("p");
  for (let i = 0; i < words.length;) {
    let k = i;
    while (k < words.length && words[k][1] === words[i][1]) k++;
    const text = words.slice(i, k).map(w => w[0]).join(" ");
    p.append(i ? " " : "", words[i][1] ? make(tag, {}, text) : text);
    i = k;
  }
  return p;
}

function part(title, wide, ...children) {
  return make("div", { className: wide ? "wide" : "" }, make("h2", {}, title), ...children);
}

function prompts_part(shot, v) {
  const e = v && v.enhanced;
  if (!shot.prompt && !e) return null;
  const before = e ? e.original : shot.prompt, list = make("div", { className: "prompts" });
  const [was, is] = e ? compare_words(before, e.prompt) : [[], []];
  list.append(make("div", {}, make("span", { className: "label" }, "As written"), e ? marked_words(was, "del") : make("p", {}, before)));
  if (e) {
    list.append(make("div", {}, make("span", { className: "label" }, `As the model was told, ${e.prompt_tokens} of ${e.limit} tokens`), marked_words(is, "ins")));
    if (e.negative) list.append(make("div", {}, make("span", { className: "label" }, "Not to be seen"), make("p", {}, e.negative)));
    for (const n of e.notes) list.append(make("p", { className: "hint" }, n.text));
  }
  return part("Prompt", true, list);
}

function facts_part(data, shot, v) {
  const asked = (v && v.asked) || {}, g = (v && v.generated) || {}, facts = [];
  const fact = (name, value) => { if (value !== undefined && value !== "" && value !== null) facts.push(make("dt", {}, name), make("dd", {}, String(value))); };
  fact("Tier", g.tier || asked.tier || shot.tier);
  fact("Seed", asked.seed !== undefined ? asked.seed : shot.seed);
  fact("Steps", g.steps);
  fact("Sampler", g.sampler);
  fact("Guidance", g.guidance);
  fact("Made on", g.device);
  fact("Camera", asked.camera);
  fact("Look", asked.look);
  fact("Source", asked.source);
  fact("Move", asked.move === "none" ? "" : asked.move);
  fact("Length", `${plural(shot.frames, "frame")}, ${duration(shot.frames * data.fps[1] / data.fps[0])}`);
  fact("In the film", timecode(data.start + shot.at, data.fps, data.drop));
  return part("What it is", false, make("dl", { className: "facts" }, ...facts));
}

function timings_part(data, v) {
  const rows = data.stages.filter(s => v.timings[s]).map(s => [s, v.timings[s]]);
  const most = Math.max(...rows.map(r => r[1].seconds), 1e-9), all = rows.reduce((n, r) => n + r[1].seconds, 0);
  const table = make("table", {}, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, "Stage"),
    make("th", { scope: "col" }, make("span", { className: "hidden" }, "share")), make("th", { scope: "col", className: "number" }, "Time"),
    make("th", { scope: "col", className: "number" }, "Memory"))));
  const body = make("tbody");
  for (const [stage, t] of rows) {
    const fill = make("i");
    fill.style.width = 100 * t.seconds / most + "%";
    body.append(make("tr", {}, make("th", { scope: "row" }, stage + (t.attempt > 1 ? ` (try ${t.attempt})` : "")),
      make("td", {}, make("span", { className: "bar" }, fill)), make("td", { className: "number" }, duration(t.seconds)),
      make("td", { className: "number" }, Math.round(t.peak_kib / 1024) + " MiB")));
  }
  table.append(body);
  return part(`Time taken: ${duration(all)}`, false, table);
}

// What was asked of the file and what it was found to be when it was decoded again.
function checks_part(data, shot, v) {
  const d = v.delivered, m = v.decoded || {}, list = [];
  const check = (good, text) => list.push(make("li", { className: good ? "" : "bad" }, text));
  const asked = (v.asked && v.asked.frames) || shot.frames;
  check(d.frames === asked, d.frames === asked ? plural(d.frames, "frame") + ", as asked" : `${d.frames} frames, ${asked} asked`);
  check(d.fps === data.fps.join("/"), `${fps_text(d.fps.split("/").map(Number))} frames a second`);
  check(d.width === data.size[0] && d.height === data.size[1], `${d.width} × ${d.height}`);
  check(true, `${d.color}, ${d.pixel_format}`);
  if (d.timecode) check(true, `timecode from ${d.timecode}`);
  if (d.largest_difference !== undefined) check(true, `within ${Number(d.largest_difference).toFixed(2)} of the master`);
  const still = shot.kind === "generated" || shot.kind === "footage";
  if (m.frozen_frames !== undefined && still) check(m.frozen_frames === 0, m.frozen_frames ? plural(m.frozen_frames, "frozen frame") : "no frozen frames");
  if (d.bytes) check(true, `${(d.bytes / 1e6).toFixed(1)} MB`);
  return part("Checks of the file", false, make("ul", { className: "checks", role: "list" }, ...list));
}

function overlays_part(shot, v) {
  const list = (v && v.asked && v.asked.overlays) || shot.overlays;
  const made = ((v && v.enhanced && v.enhanced.overlays) || []).map(o => ({ ...o, from: true }));
  if (!list.length && !made.length) return null;
  return part("Text on the picture", false, make("ol", { className: "overlays" }, ...[...list, ...made].map(o =>
    make("li", {}, make("div", {}, o.text || (o.style === "timecode" ? "running timecode" : "")), o.subtext ? make("div", {}, o.subtext) : null,
      make("span", {}, o.style + (o.from ? ", from the prompt" : `, ${o.in.toFixed(2)} to ${o.out.toFixed(2)} s`))))));
}

const fps_text = ([num, den]) => String(Math.round(1000 * num / den) / 1000);

function draw_details(data, shot, v) {
  if (!is_new($("about"), shot, v, data.start)) return;
  const parts = [];
  if (shot.error) parts.push(part("Why it failed", true, make("p", { className: "error" }, `${shot.stage}: ${shot.error}`)));
  parts.push(prompts_part(shot, v), facts_part(data, shot, v));
  if (v && v.delivered) parts.push(checks_part(data, shot, v));
  if (v && v.timings) parts.push(timings_part(data, v));
  parts.push(overlays_part(shot, v));
  $("about").replaceChildren(...parts.filter(Boolean));
}

// The picture that `watch` makes of latents: {width, height, rgb (base64)}.
function latents_canvas(preview, canvas = make("canvas")) {
  const bytes = Uint8Array.from(atob(preview.rgb), c => c.charCodeAt(0));
  canvas.width = preview.width;
  canvas.height = preview.height;
  const context = canvas.getContext("2d"), image = context.createImageData(preview.width, preview.height);
  for (let i = 0, k = 0; i < bytes.length; i += 3, k += 4) {
    image.data[k] = bytes[i];
    image.data[k + 1] = bytes[i + 1];
    image.data[k + 2] = bytes[i + 2];
    image.data[k + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
