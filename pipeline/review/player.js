// The film of a shot, and another version beside it in step. Frames count from the file's first.
const player = {
  film: $("film"), second: $("film-2"), frames: 1, rate: 24, speed: 0, changed: () => {}, ended: () => {},

  // The poster stands until the frame `at` can be seen: what is written of a frame is of that one.
  open(url, poster, frames, rate, at) {
    this.stop();
    this.at = at;
    this.frames = Math.max(1, frames);
    this.rate = rate;
    this.film.poster = poster || "";
    if (url) this.film.src = url;
    else { this.film.removeAttribute("src"); this.film.load(); }
    this.changed();
  },

  openSecond(url, poster) {
    this.second.poster = poster || "";
    if (url) {
      this.second.src = url;
      this.second.addEventListener("loadedmetadata", () => this.align(), { once: true });
    } else {
      this.second.removeAttribute("src");
      this.second.load();
    }
  },

  get beside() { return this.second.hasAttribute("src"); },
  get frame() {
    return Math.min(this.frames - 1, Math.max(0, Math.floor(this.film.currentTime * this.rate + 1e-3)));
  },

  // To the middle of a frame: its edges are where players disagree.
  seek(frame) {
    const f = Math.min(this.frames - 1, Math.max(0, frame));
    this.film.currentTime = (f + 0.5) / this.rate;
    this.align();
    this.changed();
  },

  align() {
    if (this.beside) this.second.currentTime = this.film.currentTime;
  },

  step(n) {
    this.stop();
    this.seek(this.frame + n);
  },

  stop() {
    const was = this.speed;
    this.speed = 0;
    this.film.pause();
    this.second.pause();
    if (was) this.align();
    this.changed();
  },

  // 1, 2, 4, 8 times forward; less than nothing: backwards, which browsers do not play, so that
  // frames are sought one after another.
  shuttle(speed) {
    if (!this.film.hasAttribute("src") || this.film.error) return;
    this.speed = speed;
    if (speed > 0) {
      if (this.film.ended || this.frame >= this.frames - 1) { this.film.currentTime = 0; this.align(); }
      for (const v of this.beside ? [this.film, this.second] : [this.film]) {
        v.playbackRate = speed;
        const promise = v.play();
        if (promise) promise.catch(() => {});
      }
    } else {
      this.film.pause();
      this.second.pause();
      this.last = 0;
    }
    requestAnimationFrame(t => this.tick(t));
    this.changed();
  },

  toggle() { this.speed ? this.stop() : this.shuttle(1); },
  faster() { this.shuttle(this.speed > 0 ? Math.min(8, this.speed * 2) : 1); },
  backwards() { this.shuttle(this.speed < 0 ? Math.max(-8, this.speed * 2) : -1); },

  tick(t) {
    if (!this.speed) return;
    if (this.speed < 0 && !this.film.seeking) {
      const passed = this.last ? (t - this.last) / 1000 : 0;
      this.last = t;
      const at = this.film.currentTime + passed * this.speed;
      if (at <= 0) { this.seek(0); this.stop(); return; }
      this.film.currentTime = at;
      this.align();
    } else if (this.speed > 0 && this.beside && !this.second.seeking &&
               Math.abs(this.second.currentTime - this.film.currentTime) > 1.5 / this.rate) {
      this.align();
    }
    this.changed();
    requestAnimationFrame(t => this.tick(t));
  },
};
player.film.addEventListener("loadedmetadata", () => player.seek(player.at));
player.film.addEventListener("ended", () => { player.stop(); player.ended(); });
player.film.addEventListener("seeked", () => player.changed());
player.film.addEventListener("timeupdate", () => player.changed());
