// What the editor says, until it is exported and imported into the journal: in localStorage, which a
// browser may refuse to a page from disk.
const store = {
  key: "", kept: true, unsaved: false,
  local: { author: "", notes: {}, reviews: {} },

  open(data) {
    this.key = `auteur-pipe:${data.board}:${data.production}`;
    try {
      const text = localStorage.getItem(this.key);
      const found = text ? JSON.parse(text) : null;
      if (found && typeof found === "object") {
        for (const name of ["notes", "reviews"])
          if (found[name] && typeof found[name] === "object") this.local[name] = found[name];
        if (typeof found.author === "string") this.local.author = found.author;
      }
      localStorage.setItem(this.key + ":try", "1");
      localStorage.removeItem(this.key + ":try");
    } catch (refused) {
      this.kept = false;
    }
    this.forget(data);
  },

  // What the journal says too was imported: from now on the journal counts.
  forget(data) {
    for (const shot of data.shots) {
      for (const n of shot.notes)
        if (this.local.notes[n.id] && this.local.notes[n.id].text === n.text) delete this.local.notes[n.id];
      const said = this.local.reviews[shot.id] || {};
      for (const v of shot.versions)
        if (said[v.number] && (said[v.number] === "open" ? "" : said[v.number]) === v.verdict) delete said[v.number];
    }
    this.save();
  },

  save() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.local));
    } catch (refused) {
      this.kept = false;
      this.unsaved = Object.keys(this.local.notes).length > 0;
    }
  },

  // Of a shot, those of the journal with what was said here since; by version, frame and time.
  notes(shot) {
    const all = new Map(shot.notes.map(n => [n.id, { ...n, imported: true }]));
    for (const n of Object.values(this.local.notes)) {
      if (n.shot !== shot.id) continue;
      const there = all.get(n.id);
      if (!there || there.text !== n.text) all.set(n.id, { ...n, imported: false, again: !!there });
    }
    return [...all.values()].sort((a, b) => a.version - b.version || a.frame - b.frame ||
      (a.created < b.created ? -1 : 1));
  },

  verdict(shot, version) {
    const said = (this.local.reviews[shot.id] || {})[version.number];
    if (said) return said === "open" ? "" : said;
    return version.verdict;
  },

  judge(shot, version, verdict) {
    const of = this.local.reviews[shot.id] || (this.local.reviews[shot.id] = {});
    if (verdict === version.verdict) delete of[version.number];
    else of[version.number] = verdict || "open";
    this.save();
  },

  put(note) {
    this.local.notes[note.id] = note;
    this.save();
  },

  drop(id) {
    delete this.local.notes[id];
    this.save();
  },

  // notes.md tells the form. With what the journal has already: a file stands for itself.
  exported(data) {
    const notes = [], reviews = [];
    for (const shot of data.shots) {
      for (const { imported, again, ...note } of this.notes(shot)) notes.push(note);
      const said = this.local.reviews[shot.id] || {};
      for (const v of shot.versions) {
        const state = this.verdict(shot, v) || said[v.number];
        if (state) reviews.push({ shot: shot.id, version: v.number, state });
      }
    }
    return {
      format: "auteur-pipe notes", version: 1, production: data.production, board: data.board,
      exported: new Date().toISOString(), notes, reviews,
    };
  },

  newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(12));
    return [...bytes].map(b => b.toString(16).padStart(2, "0")).join("");
  },
};
