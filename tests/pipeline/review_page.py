"""Drives the review page in headless Chromium: what an editor does with it, and what anybody may ask
of a page. Called by test_review.c:

    review_page.py check                                 exits 77 where there is nothing to drive it with
    review_page.py page URL FOLDER                       the page of test_review.c's production, from disk
    review_page.py live URL FOLDER                       the same, served, while a run goes on

FOLDER has timecodes.json, made by the C, and takes the export, the pictures, and "ready", which says
that the live page is open.
"""

import json
import os
import sys
import time

try:
    from browser import Browser, chromium
except ImportError:
    sys.exit(77)

SIZES, SCHEMES = ((400, 860), (1600, 1000)), ("dark", "light")

# Elements with text of their own whose contrast is less than WCAG's 4.5, by what is behind them.
# What lies over a film is left out: its ground is the film.
CONTRAST = """(() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const over = (a, b) => [0, 1, 2].map(i => a[i] * a[3] + b[i] * (1 - a[3])).concat(1);
  const light = c => { const f = c.slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * f[0] + 0.7152 * f[1] + 0.0722 * f[2]; };
  const ground = e => { const all = []; for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    all.push(c); if (c[3] === 1) break; } return all.reverse().reduce((b, c) => over(c, b), [255, 255, 255, 1]); };
  const bad = []; let seen = 0;
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()), box = e.getBoundingClientRect();
    if (!own || !box.width || e.matches("script, style, option, noscript, noscript *, :disabled, .hidden, .skip") ||
        e.closest(".thumb, figure")) continue;
    const b = ground(e), t = over(parse(getComputedStyle(e).color), b);
    const [x, y] = [light(t), light(b)].sort((p, q) => q - p), ratio = (x + 0.05) / (y + 0.05);
    seen++;
    if (!(ratio >= 4.5)) bad.push([e.tagName, e.className, e.textContent.slice(0, 30), ratio]);
  }
  return {bad, seen};
})()"""

NAMELESS = """[...document.querySelectorAll("button, input, select, textarea, [role=button]")].filter(e => {
  const label = e.labels && [...e.labels].some(l => l.textContent.trim());
  return !(e.getAttribute("aria-label") || label || (e.tagName === "BUTTON" && e.textContent.trim()));
}).map(e => e.outerHTML)"""


def look(b, folder, name):
    """At both widths, dark and light."""
    for scheme in SCHEMES:
        b.media(prefers_color_scheme=scheme)
        for width, height in SIZES:
            b.size(width, height)
            time.sleep(0.3)
            wide = b.run("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            assert wide[0] <= wide[1], f"{width}: scrolls sideways: {wide}"
            contrast = b.run(CONTRAST)
            assert contrast["seen"] > 20 and not contrast["bad"], f"{scheme} {width}: {contrast}"
            b.picture(os.path.join(folder, f"{name}-{scheme}-{width}.png"))
    assert b.run(NAMELESS) == [], b.run(NAMELESS)
    b.media(prefers_color_scheme="dark")


def focus_is_seen(b):
    """Every stop of the Tab key has an outline."""
    b.run("document.body.focus()")
    seen = set()
    for _ in range(12):
        b.press("Tab")
        at = b.run("(() => { const e = document.activeElement, s = getComputedStyle(e); "
                   "return [e.id || e.className || e.tagName, s.outlineStyle, parseFloat(s.outlineWidth)]; })()")
        if at[0] != "BODY":
            assert at[1] != "none" and at[2] >= 2, f"focus is not seen: {at}"
            seen.add(at[0])
    assert len(seen) > 5, seen
    b.run("document.activeElement.blur()")


def timecodes(b, folder):
    with open(os.path.join(folder, "timecodes.json")) as f:
        rows = json.load(f)
    said = b.run(f"{json.dumps(rows)}.map(r => review.timecode(r[0], [r[1], r[2]], r[3]))")
    wrong = [(r, s) for r, s in zip(rows, said) if r[4] != s]
    assert len(rows) > 200 and not wrong, wrong[:5]


FRAME, TIME, SPEED = "review.player.frame", "review.player.film.currentTime", "review.player.speed"


def plays(b):
    b.until("review.player.film.readyState >= 2")
    b.press(" ")
    b.until(f"{TIME} > 0.1")
    b.press("k")
    at = b.run(TIME)
    assert b.run(SPEED) == 0 and b.run("review.player.film.paused")
    time.sleep(0.2)
    assert b.run(TIME) == at
    b.run("review.player.seek(10)")
    b.until("!review.player.film.seeking")
    assert b.run(FRAME) == 10
    b.press("ArrowRight")
    b.until("!review.player.film.seeking")
    assert b.run(FRAME) == 11
    b.press("ArrowLeft")
    b.press("ArrowLeft")
    b.until("!review.player.film.seeking")
    assert b.run(FRAME) == 9
    b.press("l")
    b.press("l")
    assert b.run(SPEED) == 2 and b.run("review.player.film.playbackRate") == 2
    b.press("k")
    b.run("review.player.seek(30)")
    b.until("!review.player.film.seeking")
    b.press("j")
    b.until(f"{FRAME} < 28")
    b.press("j")
    assert b.run(SPEED) in (-2, 0)
    b.press("k")


def moves(b):
    first, second = b.run("review.data.shots.slice(0, 2).map(s => s.id)")
    assert b.run("review.view.shot") == first
    b.press("ArrowDown")
    assert b.run("review.view.shot") == second
    b.press("ArrowUp")
    assert b.run("review.view.shot") == first
    b.press("?")
    assert b.run("document.getElementById('keys').open")
    b.press("Escape")
    b.until("!document.getElementById('keys').open")


SHOWN = "[...document.querySelectorAll('#list .id')].map(e => e.textContent)"


def filters(b):
    everything = b.run(SHOWN)
    b.press("/")
    b.type("harbour")
    assert b.run(SHOWN) == ["two"], b.run(SHOWN)
    b.run("document.getElementById('find').value = ''; document.getElementById('find').dispatchEvent(new Event('input'))")
    assert b.run(SHOWN) == everything
    b.press("Escape")
    b.press("a")
    b.run("document.querySelector('#states [data-state=approved]').click()")
    assert b.run(SHOWN) == [everything[0]], b.run(SHOWN)
    b.run("document.querySelector('#states [data-state=\"\"]').click()")
    assert b.run(SHOWN) == everything


def writes_notes(b):
    b.run("document.getElementById('author').value = 'Ana'")
    b.run("review.player.seek(12)")
    b.until("!review.player.film.seeking")
    b.press("n")
    assert b.run("document.activeElement.id") == "note"
    b.type("jkl: the horizon </script> wobbles")
    b.press("Enter")
    assert b.run("document.querySelector('#notes p').textContent") == "jkl: the horizon </script> wobbles"
    assert b.run("document.activeElement.id") == "viewer"
    b.press("ArrowDown")
    b.press("r")
    assert b.run("document.getElementById('reject').getAttribute('aria-pressed')") == "true"


def exports(b, folder):
    b.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=folder)
    b.run("document.getElementById('export').click()")
    path = os.path.join(folder, "page-notes.json")
    b.wait(lambda: os.path.exists(path) and os.path.getsize(path) > 100)
    with open(path) as f:
        said = json.load(f)
    assert [n["frame"] for n in said["notes"]] == [12] and said["notes"][0]["author"] == "Ana"
    assert said["notes"][0]["timecode"] == "01:00:00;12", said
    assert {(r["shot"], r["state"]) for r in said["reviews"]} == {
        ("one", "approved"), ("two", "rejected"), ("three", "rejected")}, said


def beside(b):
    """The shot of two versions, side by side and in step."""
    b.run("location.hash = 'three'")
    b.until("review.view.shot === 'three'")
    assert b.run("review.data.shots[2].versions.map(v => v.number)") == [1, 2]
    b.run("(s => { s.value = 2; s.dispatchEvent(new Event('change')); })(document.getElementById('beside'))")
    b.until("review.player.film.readyState >= 2 && review.player.second.readyState >= 2")
    b.press(" ")
    b.until(f"{TIME} > 0.3")
    apart = b.run("Math.abs(review.player.film.currentTime - review.player.second.currentTime)")
    assert apart < 0.1, apart
    b.press("k")
    b.until("!review.player.film.seeking && !review.player.second.seeking")
    assert b.run("review.player.film.currentTime === review.player.second.currentTime")


def page(url, folder):
    b = Browser()
    b.size(1600, 1000)
    b.open(url)
    assert b.run(SHOWN) == ["one", "two", "three"]
    assert "</script><b>" in b.run("document.getElementById('about').textContent")
    timecodes(b, folder)
    plays(b)
    moves(b)
    filters(b)
    writes_notes(b)
    b.open(url)
    assert b.run("review.store.kept && Object.keys(review.store.local.notes).length") == 1
    exports(b, folder)
    look(b, folder, "page")
    b.size(1600, 1000)
    beside(b)
    look(b, folder, "beside")
    focus_is_seen(b)
    b.media(prefers_reduced_motion="reduce")
    assert not b.errors, b.errors
    b.close()


def live(url, folder):
    """The board has a fourth shot by and by."""
    b = Browser()
    b.size(1600, 1000)
    b.open(url)
    assert b.run(SHOWN) == ["one", "two", "three"]
    with open(os.path.join(folder, "ready"), "w"):
        pass
    b.until("review.data.shots.some(s => s.id === 'four')", 60)
    b.until("review.data.shots.find(s => s.id === 'four').state === 'delivered' && !review.data.live", 60)
    assert b.run(SHOWN) == ["one", "two", "three", "four"]
    b.run("location.hash = 'four'")
    b.until("review.view.shot === 'four' && review.player.film.readyState >= 2")
    b.press(" ")
    b.until(f"{TIME} > 0.1")
    look(b, folder, "live")
    assert not b.errors, b.errors
    b.close()


if __name__ == "__main__":
    if not chromium():
        sys.exit(77)
    if sys.argv[1] != "check":
        {"page": page, "live": live}[sys.argv[1]](*sys.argv[2:])
