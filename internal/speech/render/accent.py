"""Japanese pitch accent. The model reads Japanese without knowing it: its own
melody agrees with the dictionary's hardly better than chance. So the melody is
made here, from Open JTalk's accents, and given to the model in place of its own;
pace, loudness and timbre stay the model's.
"""

import re

import numpy as np

MORA = re.compile(r"ŋ|[mn](?=[pbmtdnk])|[^aiɯeoɨɴː ,.!?ʔŋ]*[aiɯeoɨ]|ɴ|ː|ʔ")
HIGH, LOW = 3.0, -3.2  # semitones about the middle of a phrase
STEP = 0.8  # what an accent leaves of the next phrase's range
FALL = -3.0  # semitones over a whole stretch between pauses
FINAL = -1.5  # semitones at the very end
OWN = 0.15  # how much of the model's own fine movement stays
VOICED = 30.0  # Hz; below it the model's melody says "no voice"


def moras(phonemes):
    """Where each mora of phonemes is, as (first, past) indices of its letters."""
    return [m.span() for m in MORA.finditer(phonemes)]


def patterns(nodes):
    """The accent phrases of Open JTalk's nodes: lists of levels, one a mora, with
    None for a pause."""
    phrases = []
    for n in nodes:
        if n["pos"] == "記号":
            phrases.append(None)
        elif n["chain_flag"] == 1 and phrases and phrases[-1] is not None:
            phrases[-1][0] += n["mora_size"]
        else:
            phrases.append([n["mora_size"], n["acc"], n["pos"] == "助詞"])
    return [p and levels(*p) for p in phrases]


def levels(count, accent, particle):
    """H and L of one accent phrase: a rise after the first mora, a fall after the
    accented one. A phrase that begins with a particle continues what was said
    before it by someone else, a name: it stays in the middle."""
    if particle:
        return [0.0] * count
    if accent == 1:
        return [HIGH] + [LOW] * (count - 1)
    high = count if accent == 0 else accent
    return [LOW * 0.5] + [HIGH * (0.75 if accent == 0 else 1.0)] * (min(high, count) - 1) + [LOW] * (count - high)


def targets(phrases):
    """One pitch a mora, in semitones about the speaker's middle."""
    out, stretch, factor = [], [], 1.0
    for p in phrases + [None]:
        if p is None:
            n = len(stretch)
            out += [t + FALL * (i / max(1, n - 1) - 0.5) for i, t in enumerate(stretch)] if n > 3 else stretch
            stretch, factor = [], 1.0
            continue
        stretch += [t * factor for t in p]
        if any(a > b for a, b in zip(p, p[1:])):
            factor *= STEP
    return out


def melody(own, durations, phonemes, phrases, scale=1.0):
    """The model's melody own (Hz, two values a frame) with its movement replaced.
    durations are the frames of each token, the padding before and after included."""
    pitch, spans = targets(phrases), moras(phonemes)
    if len(pitch) != len(spans):
        raise ValueError("%d accents for %d moras in %s" % (len(pitch), len(spans), phonemes))
    start = np.concatenate([[0], np.cumsum(durations)]) * 2
    x, y = [], []
    for (a, b), t in zip(spans, pitch):
        # Letter k is token k+1. The pitch is reached by the middle of the mora.
        s, e = start[a + 1], start[b + 1]
        x += [s + 0.45 * (e - s), s + 0.85 * (e - s)]
        y += [t, t]
    y[-1] += FINAL
    n = len(own)
    line = np.interp(np.arange(n), x, y) * scale
    k = np.exp(-0.5 * (np.arange(-8, 9) / 2.5) ** 2)
    line = np.convolve(np.pad(line, 8, "edge"), k / k.sum(), "valid")
    voiced = own > VOICED
    middle = np.median(np.log2(own[voiced]))
    fine = 12 * (np.log2(np.maximum(own, 1)) - middle)
    fine -= np.convolve(np.pad(fine, 8, "edge"), k / k.sum(), "valid")
    made = 2 ** (middle + (line + OWN * fine) / 12)
    return np.where(voiced, made, own).astype(np.float32)
