"""Headless Chromium driven through its DevTools protocol: enough of it to test a page with."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request

import websocket

KEYS = {" ": ("Space", 32), "ArrowLeft": ("ArrowLeft", 37), "ArrowUp": ("ArrowUp", 38),
        "ArrowRight": ("ArrowRight", 39), "ArrowDown": ("ArrowDown", 40), "Enter": ("Enter", 13),
        "Escape": ("Escape", 27), "Tab": ("Tab", 9)}


def chromium():
    """Where it is; None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One tab. Errors of the page's scripts are gathered in `errors`."""

    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="auteur-chromium-")
        self.process = subprocess.Popen(
            [chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio",
             "--remote-debugging-port=0", "--remote-allow-origins=*", "--user-data-dir=" + self.home,
             "--no-first-run", "--disable-extensions", "--disable-background-networking", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self.wait(self.read_port, 60)
        tabs = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
        self.socket = websocket.create_connection(next(t for t in tabs if t["type"] == "page")["webSocketDebuggerUrl"],
                                                  timeout=60, suppress_origin=True)
        self.number, self.errors = 0, []
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")

    def read_port(self):
        try:
            with open(os.path.join(self.home, "DevToolsActivePort")) as f:
                return int(f.readline())
        except (OSError, ValueError):
            return None

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    @staticmethod
    def wait(what, seconds=20):
        """Until it gives something true, which is returned."""
        until = time.monotonic() + seconds
        while True:
            found = what()
            if found:
                return found
            assert time.monotonic() < until, f"waited {seconds} s in vain"
            time.sleep(0.05)

    def call(self, method, **params):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            said = json.loads(self.socket.recv())
            if said.get("method") == "Runtime.exceptionThrown":
                self.errors.append(said["params"]["exceptionDetails"])
            if said.get("method") == "Log.entryAdded" and said["params"]["entry"]["level"] == "error":
                self.errors.append(said["params"]["entry"])
            if said.get("id") == self.number:
                assert "error" not in said, f"{method}: {said['error']}"
                return said["result"]

    def run(self, script):
        """The value of an expression in the page; promises are waited for."""
        said = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in said, f"{script}: {said.get('exceptionDetails')}"
        return said["result"].get("value")

    def until(self, script, seconds=20):
        return self.wait(lambda: self.run(script), seconds)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.until(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(url[:5])})")

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def media(self, **features):
        """media(prefers_color_scheme="dark")"""
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": n.replace("_", "-"), "value": v} for n, v in features.items()])

    def press(self, key, modifiers=0):
        code, number = KEYS.get(key, (key, ord(key[0].upper())))
        text = {"text": "\r" if key == "Enter" else key} if len(key) == 1 or key == "Enter" else {}
        common = dict(key=key, code=code, windowsVirtualKeyCode=number, modifiers=modifiers)
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text):
        self.call("Input.insertText", text=text)

    def picture(self, path):
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))
