#!/usr/bin/env python3
"""Reads t.otio, t.edl, t.xml and t.fcpxml in each FOLDER back with OpenTimelineIO and its adapters and compares their
tracks of pictures and of sound, clip by clip and frame by frame, with expected.json. Says what differs;
exit status 1 then.

usage: timelines.py FOLDER...
       timelines.py --production DIR     of a production: its OpenTimelineIO file is what the others are compared with, and
                                         every clip's file with what ffprobe finds in it: frames, rate, timecode, samples

Of three things it takes the adapters as they are. CMX 3600's puts a dissolve's cut where the dissolve begins, so of an EDL
each clip's first and last visible frames are compared; nor does it say when a track of sound begins. FCPXML's counts
frames in rounded seconds and by whole rates (23 for 23.976), so what it reads is compared by names and files alone, and
the frames by the file's own fractions.
"""
import json
import os
import subprocess
import sys
from fractions import Fraction
from urllib.parse import unquote, urlparse

from xml.etree import ElementTree

import opentimelineio as otio


def frames(time, rate):
    """A whole number of frames at the film's rate, or the time as it is."""
    exact = time.rescaled_to(rate).value
    return round(exact) if abs(exact - round(exact)) < 1e-3 else exact


def flat(track, rate):
    """[clip as a dict] of a track."""
    out, at, before, after, fades = [], 0, 0, 0, False
    for item in track:
        if isinstance(item, otio.schema.Transition):
            before, after, fades = frames(item.in_offset, rate), frames(item.out_offset, rate), item.name == "fade"
            if out:
                out[-1]["leaves"] = [before, after]
            continue
        there = item.trimmed_range()
        length = frames(there.duration, rate)
        clip = {"at": at, "frames": length, "before": before, "after": after, "fades": fades, "leaves": [0, 0]}
        if isinstance(item, otio.schema.Clip) and not isinstance(item.media_reference, otio.schema.GeneratorReference): # black
            clip.update(name=item.name, source=frames(there.start_time, rate))
            reference = item.media_reference
            if isinstance(reference, otio.schema.ExternalReference):
                clip["path"] = unquote(urlparse(reference.target_url).path)
                clip["reel"] = reference.metadata.get("reel") or reference.metadata.get("fcp_xml", {}).get("timecode", {}).get("reel", {}).get("name")
                if reference.available_range:
                    clip.update(timecode=frames(reference.available_range.start_time, rate), held=frames(reference.available_range.duration, rate))
            if item.markers:
                clip.update(marker=frames(item.markers[0].marked_range.start_time, rate), asked=item.markers[0].comment, called=item.markers[0].name)
            clip["reel"] = clip.get("reel") or item.metadata.get("cmx_3600", {}).get("reel")
        out.append(clip)
        at, before, after, fades = at + length, 0, 0, False
    return out


def visible(clips):
    """The same with the frames that transitions show of each clip: what an EDL says. A fade shows none beyond its cut."""
    ahead, behind = ([0 if c.get("fades") else c[key] for c in clips] + [0] for key in ("before", "after"))
    return [{"name": c.get("name"), "at": c["at"] - ahead[i], "source": c.get("source", 0) - ahead[i], "frames": ahead[i] + c["frames"] + behind[i + 1], "path": c.get("path"), "reel": c.get("reel")} for i, c in enumerate(clips)]


def fractions_of(path, rate, start):
    """[clip as a dict] of an FCPXML file's spine, by its own fractions of a second, which must be whole frames."""
    root = ElementTree.parse(path).getroot()

    def count(element, name):
        exact = Fraction(element.get(name, "0s").rstrip("s")) * rate
        assert exact.denominator == 1, f"{path}: {name} of {element.get('name')} is no whole frame"
        return int(exact)

    assets, out, lanes, before, after = {a.get("id"): a for a in root.iter("asset")}, [], {}, 0, 0

    def of_asset(item):
        asset = assets[item.get("ref")]
        return {"name": item.get("name"), "source": count(item, "start"), "frames": count(item, "duration"), "timecode": count(asset, "start"), "held": count(asset, "duration"),
                "path": unquote(urlparse(asset.get("src")).path), "reel": asset.find("metadata/md[@key='com.apple.proapps.studio.reel']").get("value")}

    def storyline(element, zero):
        """[(clip, its element)] of a spine, `zero` frames of whose time lie before the film's first."""
        made, before, after = [], 0, 0
        for item in element:
            if item.tag == "transition":
                opens, ends = count(item, "offset") - zero, count(item, "offset") - zero + count(item, "duration")
                cut = made[-1][0]["at"] + made[-1][0]["frames"] if made else opens
                before, after = cut - opens, ends - cut
                if made:
                    made[-1][0]["leaves"] = [before, after]
                continue
            clip = {"at": count(item, "offset") - zero, "frames": count(item, "duration"), "before": before, "after": after, "leaves": [0, 0]}
            made.append((dict(of_asset(item), **clip) if item.tag == "asset-clip" else clip, item))
            before, after = 0, 0
        return made

    for clip, item in storyline(root.find(".//spine"), start):
        if (marker := item.find("marker")) is not None:
            clip.update(marker=count(marker, "start"), asked=marker.get("note"))
        for other in item: # lanes -1, -2: sound; 1: titles, those that transitions join in a storyline of theirs
            if other.tag in ("asset-clip", "spine"):
                at = count(other, "offset") - count(item, "start") + clip["at"]
                found = [dict(of_asset(other), at=at, before=0, after=0, leaves=[0, 0])] if other.tag == "asset-clip" else [c for c, _ in storyline(other, -at)]
                lanes.setdefault(int(other.get("lane")), []).extend(found)
        out.append(clip)
    return out, lanes


def compared(name, got, wanted, keys, root):
    """What differs between two lists of clips, gaps left out."""
    wrong, got = [], [c for c in got if c.get("name")]
    wanted = [c for c in wanted if c["path"]]
    if len(got) != len(wanted):
        return [f"{name}: {len(got)} clips, not {len(wanted)}"]
    for g, w in zip(got, wanted):
        for key in keys:
            want = w[key]
            if key == "path" and g.get(key, "").startswith("/"):
                want = os.path.join(root, want)
            if g.get(key) != want:
                wrong.append(f"{name}: {w['name']}: {key} is {g.get(key)}, not {want}")
    return wrong


def first_sounds(path, wanted):
    """Where in the film an EDL's tracks of sound begin, by the timecode it writes: its adapter begins each with its first clip."""
    begins = {}
    for line in open(path, encoding="utf-8"):
        words = line.split()
        if len(words) == 8 and words[2] in ("A", "A2"):
            begins.setdefault(words[2], count_of(words[6], wanted["num"] / wanted["den"]) - wanted["start"])
    return [begins[channel] for channel in sorted(begins)]


def locators(path, wanted):
    """[(frame of the film, what it says)] of an EDL's markers, which its adapter does not read where timecode is drop-frame."""
    found = (line.split(maxsplit=4) for line in open(path, encoding="utf-8") if line.startswith("* LOC: "))
    return [(count_of(words[2], wanted["num"] / wanted["den"]) - wanted["start"], words[4].rstrip("\n")) for words in found]


def fcp7_markers(path):
    """{name: what it says} of FCP 7's markers; its adapter puts that elsewhere."""
    return [item.findtext("marker/comment") for item in ElementTree.parse(path).getroot().iterfind(".//video//clipitem") if item.find("marker") is not None]


def channels_agree(path):
    """FCP 7 has a track for each channel of a stereo sound, of which the adapter reads the first: the second says the same,
    and every clip item is linked with both."""
    tracks = [[[item.findtext(key) for key in ("name", "start", "end", "in", "out")] + [[link.findtext("linkclipref") for link in item.findall("link")]] for item in track.findall("clipitem")]
              for track in ElementTree.parse(path).getroot().findall(".//audio/track")]
    return tracks[0::2] == tracks[1::2]


def readings(paths, wanted):
    """Lines that say what differs between four files, {ending: path}, and what is wanted."""
    rate, wrong, clips = wanted["num"] / wanted["den"], [], wanted["clips"]
    for name, options, keys in (("otio", {}, ("name", "at", "source", "frames", "before", "after", "leaves", "path", "timecode", "held", "reel", "marker", "asked")),
                                ("edl", {"rate": rate}, ("name", "at", "source", "frames", "reel")),
                                ("xml", {}, ("name", "at", "source", "frames", "before", "after", "leaves", "path", "timecode", "held", "reel")),
                                ("fcpxml", {}, ("name", "path"))):
        read = otio.adapters.read_from_file(paths[name], **options)
        while isinstance(read, otio.schema.SerializableCollection):
            read = read[0]
        seen, heard = read.video_tracks(), read.audio_tracks()
        if name == "fcpxml": # its tracks are named after their lanes, and all are pictures to it
            by_lane = {int(t.name): t for t in read.tracks}
            seen, heard = [by_lane[lane] for lane in sorted(by_lane) if lane >= 0], [by_lane[lane] for lane in sorted(by_lane, reverse=True) if lane < 0]
        got, titles = flat(seen[0], rate), [flat(track, rate) for track in seen[1:]]
        start = read.global_start_time
        if name in ("otio", "xml") and (start is None or frames(start, rate) != wanted["start"]):
            wrong.append(f"{name}: begins at {start}, not {wanted['start']}")
        if name == "fcpxml":
            spine, lanes = fractions_of(paths[name], Fraction(wanted["num"], wanted["den"]), wanted["start"])
            wrong += compared(name, spine, clips, ("name", "at", "source", "frames", "before", "after", "leaves", "timecode", "held", "reel", "marker", "asked"), wanted["root"])
            for track in titles:
                wrong += compared("fcpxml's titles", track, wanted["titles"], ("name", "path"), wanted["root"])
            titles, sounds = [lanes[lane] for lane in sorted(lanes) if lane > 0], [lanes[lane] for lane in sorted(lanes, reverse=True) if lane < 0]
            for track, wanted_track in zip(heard, wanted["sounds"]):
                wrong += compared("fcpxml's sound", flat(track, rate), wanted_track, ("name", "path"), wanted["root"])
            keys = ("name", "at", "source", "frames", "before", "after", "leaves", "timecode", "held", "reel", "path")
        else:
            sounds = [flat(track, rate) for track in heard]
            for first, track in zip(first_sounds(paths[name], wanted) if name == "edl" else (), sounds):
                for c in track:
                    c["at"] += first
            keys = [key for key in keys if key not in ("marker", "asked")]
        asked = [(c["at"] + c["marker"] - c["source"], c["asked"]) for c in clips if c["path"] and c["marker"] is not None]
        if name == "edl" and locators(paths[name], wanted) != [(at, text.replace("\n", " ")) for at, text in asked]:
            wrong.append(f"edl: markers {locators(paths[name], wanted)}, not {asked}")
        if name == "xml" and fcp7_markers(paths[name]) != [text for _, text in asked]:
            wrong.append("xml: the markers say something else")
        if name == "xml" and not channels_agree(paths[name]):
            wrong.append("xml: the channels of a stereo sound differ")
        has_titles = name != "edl" and any(c["path"] for c in wanted["titles"]) # an EDL has one track of pictures
        if len(titles) != has_titles:
            wrong.append(f"{name}: {len(titles)} tracks of titles, not {int(has_titles)}")
        for track in titles:
            wrong += compared(f"{name}'s titles", track, wanted["titles"], keys, wanted["root"])
        if len(sounds) != len(wanted["sounds"]):
            wrong.append(f"{name}: {len(sounds)} tracks of sound, not {len(wanted['sounds'])}")
        for got_track, wanted_track in zip(sounds, wanted["sounds"]):
            wrong += compared(f"{name}'s sound", got_track, wanted_track, keys, wanted["root"])
        if name == "fcpxml":
            keys = ("name", "path")
        edl = name == "edl"
        wrong += compared(name, visible(got) if edl else got, visible(clips) if edl else clips, keys, wanted["root"])
    return wrong


def count_of(timecode, rate):
    """The frame that a timecode names."""
    hours, minutes, seconds, frame = (int(x) for x in timecode.replace(";", ":").split(":"))
    nominal, minutes = round(rate), 60 * hours + minutes
    dropped = nominal // 15 * (minutes - minutes // 10) if ";" in timecode else 0
    return (60 * minutes + seconds) * nominal + frame - dropped


def probed(path):
    found = json.loads(subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries", "stream=nb_read_frames,r_frame_rate:stream_tags=timecode", "-of", "json", path],
                                      stdout=subprocess.PIPE, check=True).stdout)["streams"][0]
    reels = json.loads(subprocess.run(["ffprobe", "-v", "error", "-select_streams", "d", "-show_entries", "stream_tags=reel_name", "-of", "json", path], stdout=subprocess.PIPE, check=True).stdout)["streams"]
    return int(found["nb_read_frames"]), Fraction(found["r_frame_rate"]), found["tags"]["timecode"], reels[0]["tags"].get("reel_name")


def samples_of(frame, rate):
    return int(frame * 48000 / rate + Fraction(1, 2))


def probed_sound(path):
    found = json.loads(subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=duration_ts,sample_rate,codec_name:format_tags=time_reference", "-of", "json", path],
                                      stdout=subprocess.PIPE, check=True).stdout)
    stream = found["streams"][0]
    assert (stream["sample_rate"], stream["codec_name"]) == ("48000", "pcm_s24le"), path
    return int(stream["duration_ts"]), int(found["format"]["tags"]["time_reference"])


def production(folder):
    """Whether a production's timelines and media agree; says what does not."""
    (first,) = (f for f in os.listdir(folder) if f.endswith(".otio"))
    paths = {ending: os.path.join(folder, first[:-4] + ending) for ending in ("otio", "edl", "xml", "fcpxml")}
    read = otio.adapters.read_from_file(paths["otio"])
    rate = Fraction(read.global_start_time.rate).limit_denominator(1001)
    seen, wrong = [flat(track, float(rate)) for track in read.video_tracks()], []
    clips, titles = seen[0], seen[1] if len(seen) > 1 else []
    sounds = [flat(track, float(rate)) for track in read.audio_tracks()]
    for c in (c for track in sounds for c in track):
        c.setdefault("path", None)
        if c["path"]:
            samples, reference = probed_sound(os.path.join(folder, c["path"]))
            wanted = [samples_of(c["at"] + c["frames"], rate) - samples_of(c["at"], rate), samples_of(c["timecode"], rate)]
            if [samples, reference] != wanted:
                wrong.append(f"{c['path']}: {samples} samples from {reference} on, not {wanted}")
    for c in clips + titles:
        c.setdefault("marker", None), c.setdefault("asked", None), c.setdefault("path", None)
        if c["path"]:
            held, its_rate, timecode, reel = probed(os.path.join(folder, c["path"]))
            wanted_reel = c["reel"] if c["path"].endswith(".mov") else None # FFmpeg has no place for it in MP4
            if (held, its_rate, count_of(timecode, rate), reel) != (c["held"], rate, c["timecode"], wanted_reel):
                wrong.append(f"{c['name']}: the file has {held} frames at {its_rate} from {timecode} of {reel} on, the timeline says {c['held']} at {rate} from {c['timecode']} of {c['reel']}")
    wrong += readings(paths, {"num": rate.numerator, "den": rate.denominator, "start": frames(read.global_start_time, float(rate)), "root": os.path.realpath(folder), "clips": clips, "titles": titles, "sounds": sounds})
    return clips, rate, wrong


def told(folder):
    """The same of a folder with expected.json."""
    wanted = json.load(open(os.path.join(folder, "expected.json")))
    for c in wanted["clips"]:
        c["marker"] = c["marker"] + c["source"] if c["marker"] >= 0 else None
    for track in (wanted["clips"], wanted["titles"], *wanted["sounds"]):
        for c, after in zip(track, track[1:] + [{"before": 0, "after": 0}]):
            c["leaves"] = [after["before"], after["after"]]
    return wanted["clips"], wanted["num"] / wanted["den"], readings({ending: os.path.join(folder, "t." + ending) for ending in ("otio", "edl", "xml", "fcpxml")}, wanted)


def main():
    failed = False
    whole = sys.argv[1:2] == ["--production"]
    for folder in sys.argv[1 + whole:]:
        clips, rate, wrong = (production if whole else told)(folder)
        for line in wrong:
            print(f"{folder}: {line}")
        failed |= bool(wrong)
        print(f"{folder}: {len(clips)} clips at {float(rate):.3f}: {'they differ' if wrong else 'all agree'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
