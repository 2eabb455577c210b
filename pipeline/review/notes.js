// The notes of the shot that is shown: reading, writing, and taking them out as a file.
const notes = {
  editing: null, shot: null, seek: () => {}, changed: () => {},

  draw(data, shot, version, frame) {
    if (this.shot !== shot.id) this.cancel();
    this.shot = shot.id;
    const all = store.notes(shot), many = shot.versions.length > 1;
    $("notes-title").textContent = all.length ? plural(all.length, "note") : "Notes";
    $("notes-none").textContent = all.length ? "" : "None yet. N writes one at the frame that you see.";
    if (is_new($("notes"), all, many)) $("notes").replaceChildren(...all.map(n => this.item(n, many)));
    if (is_new($("marks"), all, version, player.frames)) $("marks").replaceChildren(...all.filter(n => n.version === version).map(n => {
      const mark = make("i");
      mark.style.left = 100 * (player.frames > 1 ? n.frame / (player.frames - 1) : 0) + "%";
      return mark;
    }));
    this.light(version, frame);
    $("keeping").hidden = store.kept;
  },

  // Which of them are of the frame that is shown.
  light(version, frame) {
    for (const li of $("notes").children)
      li.classList.toggle("here", +li.dataset.frame === frame && +li.dataset.version === version);
  },

  item(n, many) {
    const go = make("button", { type: "button", className: "go", "aria-label": `Go to ${n.timecode}` }, n.timecode || "frame " + n.frame);
    go.addEventListener("click", () => this.seek(n));
    const head = make("div", { className: "head" }, go, make("span", {}, [many ? "v" + n.version : "", n.author].filter(Boolean).join(", ")));
    if (n.imported) {
      head.append(make("span", {}, "in the journal"));
    } else {
      const edit = make("button", { type: "button", className: "small", "aria-label": `Edit the note at ${n.timecode}` }, "Edit");
      edit.addEventListener("click", () => this.edit(n));
      const drop = make("button", { type: "button", className: "small", "aria-label": `Delete the note at ${n.timecode}` }, n.again ? "Undo" : "Delete");
      drop.addEventListener("click", () => { store.drop(n.id); this.changed(); say("Note deleted"); $("note").focus(); });
      head.append(edit, drop);
    }
    const li = make("li", {}, head, make("p", {}, n.text));
    li.dataset.frame = n.frame;
    li.dataset.version = n.version;
    return li;
  },

  edit(n) {
    this.editing = n;
    this.seek(n);
    $("note").value = n.text;
    $("note").focus();
  },

  cancel() {
    this.editing = null;
    $("note").value = "";
  },

  save(at) {
    const text = $("note").value.trim();
    if (!text) return false;
    const old = this.editing;
    store.local.author = $("author").value.trim();
    store.put({
      id: old ? old.id : store.newId(), shot: old ? old.shot : at.shot, version: old ? old.version : at.version,
      frame: old ? old.frame : at.frame, timecode: old ? old.timecode : at.timecode, text,
      author: store.local.author, created: old ? old.created : new Date().toISOString(),
    });
    this.cancel();
    this.changed();
    say("Note saved at " + (old || at).timecode);
    return true;
  },

  take_out(data) {
    const text = JSON.stringify(store.exported(data), null, 1) + "\n";
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const link = make("a", { href: url, download: `${data.board}-notes.json` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    store.unsaved = false;
    say("Notes exported");
  },
};
