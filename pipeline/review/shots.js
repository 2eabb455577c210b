// The list of shots, and what of it is shown.
const STATES = {
  review: "To review", approved: "Approved", rejected: "Rejected", running: "Running",
  waiting: "Waiting", interrupted: "Interrupted", failed: "Failed",
};
const shots = {
  find: "", state: "", drawn: new Map(), choose: () => {},

  // What an editor wants to know of a shot: what was said of its versions, else how it stands.
  state_of(shot) {
    if (shot.state !== "delivered") return shot.state;
    const verdicts = shot.versions.map(v => store.verdict(shot, v)), last = verdicts[verdicts.length - 1];
    return last === "rejected" && verdicts.includes("approved") ? "approved" : last || "review";
  },

  // The version that a shot is shown with first: the newest that nobody rejected.
  newest(shot) {
    const all = [...shot.versions].reverse();
    return all.find(v => store.verdict(shot, v) !== "rejected") || all[0];
  },

  matches(shot) {
    if (this.state && this.state_of(shot) !== this.state) return false;
    if (!this.find) return true;
    const text = [shot.id, shot.prompt, shot.tier, shot.camera, shot.look,
      ...shot.overlays.map(o => o.text + " " + o.subtext), ...store.notes(shot).map(n => n.text)];
    const all = text.join(" ").toLowerCase();
    return this.find.toLowerCase().split(/\s+/).every(word => all.includes(word));
  },

  visible(data) { return data.shots.filter(s => this.matches(s)); },

  draw(data, current, live) {
    const list = $("list"), visible = this.visible(data), wanted = [];
    for (const shot of visible) {
      const key = JSON.stringify([shot, this.state_of(shot), store.notes(shot).length,
        live.hand(shot.id), live.preview(shot.id) && live.preview(shot.id).step]);
      let item = this.drawn.get(shot.id);
      if (!item || item.key !== key) {
        const fresh = this.card(data, shot, live);
        if (item && item.li.contains(document.activeElement)) setTimeout(() => fresh.querySelector("button").focus());
        if (item && item.li.isConnected) item.li.replaceWith(fresh);
        item = { key, li: fresh };
        this.drawn.set(shot.id, item);
      }
      const button = item.li.firstChild;
      if (shot.id === current) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      wanted.push(item.li);
    }
    if (wanted.length !== list.children.length || wanted.some((li, i) => list.children[i] !== li))
      list.replaceChildren(...wanted);
    $("none").hidden = visible.length > 0;
    this.drawStates(data);
  },

  card(data, shot, live) {
    const v = this.newest(shot), state = this.state_of(shot);
    const notes = store.notes(shot).length, hand = live.hand(shot.id), preview = live.preview(shot.id);
    const name = state === "review" ? "delivered" : state;
    const thumb = make("span", { className: "thumb" });
    if (v && v.poster && !preview) thumb.append(make("img", { src: v.poster, alt: "", loading: "lazy", decoding: "async" }));
    else if (preview) thumb.append(latents_canvas(preview));
    else thumb.append(make("span", { className: "blank" }, shot.state === "failed" ? "no film" : "no film yet"));
    const words = make("span", { className: "words" },
      make("span", { className: "id", title: shot.id }, shot.id),
      make("span", { className: "time" }, duration(shot.frames * data.fps[1] / data.fps[0])),
      make("span", { className: "state " + name }, this.told(state, shot, hand)),
      make("span", { className: "count" }, notes ? plural(notes, "note") : ""));
    if (hand && hand.total > 0) {
      const fill = make("i");
      fill.style.width = 100 * hand.done / hand.total + "%";
      words.append(make("span", { className: "bar" }, fill));
    }
    const button = make("button", { type: "button", className: "card" }, thumb, words);
    button.addEventListener("click", () => this.choose(shot.id));
    if (v && v.film) this.rehearse(button, thumb, v);
    return make("li", {}, button);
  },

  told(state, shot, hand) {
    if (state === "review") return "To review";
    if (state === "running") return hand && hand.total > 0 ? `${shot.stage} ${Math.floor(100 * hand.done / hand.total)} %` : shot.stage;
    if (state === "failed") return "Failed: " + shot.stage;
    if (state === "waiting" && shot.versions.length) return "To be remade";
    return STATES[state];
  },

  // A mouse that rests on a card plays its film in place.
  rehearse(button, thumb, version) {
    let video = null, timer = 0;
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    button.addEventListener("pointerenter", event => {
      if (event.pointerType !== "mouse" || still.matches) return;
      timer = setTimeout(() => {
        video = make("video", { src: version.film, muted: true, loop: true, playsInline: true, "aria-hidden": "true" });
        video.addEventListener("error", () => { if (video) video.remove(); });
        thumb.append(video);
        const promise = video.play();
        if (promise) promise.catch(() => {});
      }, 250);
    });
    button.addEventListener("pointerleave", () => {
      clearTimeout(timer);
      if (video) video.remove();
      video = null;
    });
  },

  drawStates(data) {
    const counts = {};
    for (const shot of data.shots) counts[this.state_of(shot)] = (counts[this.state_of(shot)] || 0) + 1;
    const wanted = [["", "All", data.shots.length], ...Object.entries(STATES)
      .filter(([s]) => counts[s] || s === this.state).map(([s, name]) => [s, name, counts[s] || 0])];
    const group = $("states");
    if (!is_new(group, wanted, this.state)) return;
    const focused = group.contains(document.activeElement) && document.activeElement.dataset.state;
    group.replaceChildren(...wanted.map(([state, name, n]) => {
      const b = make("button", { type: "button", "aria-pressed": String(this.state === state) }, name, make("span", {}, String(n)));
      b.dataset.state = state;
      b.addEventListener("click", () => { this.state = this.state === state ? "" : state; this.changed(); });
      return b;
    }));
    if (typeof focused === "string") {
      const again = [...group.children].find(b => b.dataset.state === focused);
      if (again) again.focus();
    }
  },
};
